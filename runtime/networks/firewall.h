#pragma once

#include "runtime/container_spec.h"
#include "runtime/networks/ipv4.h"
#include "runtime/networks/nft_context.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace kedge::runtime {

/// A port of this host: the key of the maps that say where it leads.
struct HostPort {
    Protocol protocol = Protocol::tcp;
    Ipv4 address;  ///< any(): every address of the host
    uint16_t port = 0;
    auto operator<=>(const HostPort&) const = default;
};

struct Backend {
    Ipv4 address;
    uint16_t port = 0;
    bool operator==(const Backend&) const = default;
};

/// kedge's one nftables table, by libnftables, in the network namespace of the threads that call it. It remembers what
/// should be in the table, and puts the whole back if somebody flushed it. Every change is one transaction.
/// Thread-safe. The table stays when this is destroyed.
class Firewall {
public:
    explicit Firewall(std::string table);

    struct Network {
        Subnet subnet;
        bool internal = false;
    };
    /// The whole table anew, in one transaction, so that no packet misses it. Published ports that were there stay.
    /// Without networks there is no table.
    void begin(const std::map<std::string, Network>& networks_by_bridge);

    void add_network(const std::string& bridge, const Network& network);
    /// With the last network the table goes.
    void remove_network(const std::string& bridge);

    /// Ports that from now on lead there, or (empty) no longer anywhere. Established connections stay where they are.
    using Changes = std::map<HostPort, std::optional<Backend>>;
    void publish(const Changes& changes);

    std::map<HostPort, Backend> published() const;

private:
    void rebuild();
    std::map<HostPort, Backend> read_published();

    const std::string table_;
    NftContext nftables_;
    mutable std::mutex mutex_;
    std::map<std::string, Network> networks_;
    std::map<HostPort, Backend> published_;
};

}  // namespace kedge::runtime
