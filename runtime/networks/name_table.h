#pragma once

#include "runtime/networks/ipv6.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Which names lead where, as seen by who asks. Names are compared without regard to case. Thread-safe.
class NameTable {
public:
    struct Network {
        std::string name;
        std::optional<Subnet> subnet;
        Address gateway;  ///< where it is asked
        bool internal = false;
        std::optional<Subnet6> subnet6 = {};
    };
    struct Presence {
        std::string network_id;
        std::optional<Ipv4> address;
        std::vector<std::string> names;  ///< the first is what a reverse look-up tells
        std::optional<Ipv6> address6 = {};
    };

    void add_network(const std::string& id, Network network);
    void remove_network(const std::string& id);
    /// `servers`: addresses of those who know what this table doesn't; empty: the host's.
    void add_container(const std::string& id, std::vector<Presence> presences, std::vector<std::string> servers = {});
    void remove_container(const std::string& id);

    struct Found {
        enum class Outcome { known, unknown, refused };
        Outcome outcome = Outcome::refused;
        bool forward = false;                   ///< unknown: whoever asks may be told what others say
        std::vector<Address> addresses;         ///< of both families
        std::string name;                       ///< of a reverse look-up
        std::vector<std::string> servers = {};  ///< with `forward`: those of the asker; empty: the host's
    };
    /// `asker` asks at the gateway of the network. A container sees the names of all its networks, first network first;
    /// an address that isn't the network's is refused. Several addresses come in an order that changes from time to
    /// time.
    Found find(const std::string& network_id, const Address& asker, const std::string& name);
    Found find_address(const std::string& network_id, const Address& asker, const Address& address);

private:
    struct View {
        std::vector<std::string> networks;
        bool forward = false;
        std::vector<std::string> servers = {};
    };
    struct Container {
        std::vector<Presence> presences;
        std::vector<std::string> servers;
    };
    std::optional<View> view_of(const std::string& network_id, const Address& asker) const;
    std::vector<const Presence*> presences(const std::string& network_id, const std::string& name) const;

    std::mutex mutex_;
    std::map<std::string, Network> networks_;
    std::map<std::string, Container> containers_;
    size_t turn_ = 0;
};

/// Lower case, without the final dot.
std::string plain_name(std::string name);

}  // namespace kedge::runtime
