#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/container_spec.h"

#include <map>
#include <string>
#include <vector>

namespace kedge::runtime {

struct NetworkSpec {
    std::string name;
    std::string driver = "bridge";
    std::string subnet;     ///< CIDR; empty: the next free one of the engine's pools, or none without `ipv4`
    std::string gateway;    ///< empty: the first address
    bool internal = false;  ///< no way out
    std::map<std::string, std::string> labels;
    std::map<std::string, std::string> options;
    std::string ip_range = {};  ///< CIDR inside of `subnet` that addresses are given from; empty: all of it
    bool attachable = false;    ///< said of it, no more: it is about clusters
    std::map<std::string, std::string> aux_addresses = {};  ///< name: address that no container gets
    bool ipv6 = false;                                      ///< IPv6 as well: the same as above of it follows
    std::string subnet6 = {};                               ///< empty: the next free one of those of this machine
    std::string gateway6 = {};
    std::string ip_range6 = {};
    std::map<std::string, std::string> aux_addresses6 = {};
    bool ipv4 = true;  ///< false: IPv6 alone
    bool operator==(const NetworkSpec&) const = default;
};

struct NetworkInfo {
    std::string id;      ///< 64 hex digits
    NetworkSpec spec;    ///< with subnets and gateways filled in
    std::string bridge;  ///< the link's name
    WallTime created;
    std::vector<std::string> containers;  ///< ids of the connected running containers
};

/// The network of containers that ask for none. On it nobody has a name.
inline constexpr const char* kDefaultNetwork = "bridge";
/// What `network connect` calls the absence of a network of one's own, and of any.
inline constexpr const char* kHostNetwork = "host";
inline constexpr const char* kNoNetwork = "none";
/// The ids of these two, which are the same everywhere.
std::string id_of_mode(const std::string& mode);

/// What of the default network is configured.
struct DefaultNetwork {
    bool ipv6 = false;
    std::string subnet6 = {};  ///< CIDR; empty: as for other networks
};

/// Bridge networks on this machine. Thread-safe.
class Networks {
public:
    virtual ~Networks() = default;

    /// Returns the id. conflict: the name is in use; or the subnet overlaps one of ours or a route of the host's.
    virtual std::string create(const NetworkSpec& spec) = 0;
    /// conflict while containers are connected.
    virtual void remove(const std::string& name_or_id) = 0;
    virtual NetworkInfo inspect(const std::string& name_or_id) const = 0;
    virtual std::vector<NetworkInfo> list() const = 0;
};

/// Makes the default network unless it is there.
void provide_default_network(Networks& networks);

}  // namespace kedge::runtime
