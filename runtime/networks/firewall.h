#pragma once

#include "runtime/container_spec.h"
#include "runtime/networks/ipv6.h"
#include "runtime/networks/nft_context.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace kedge::runtime {

/// A port of this host: the key of the maps that say where it leads.
struct HostPort {
    Protocol protocol = Protocol::tcp;
    Address address;  ///< is_any(): every address of the host of that family
    uint16_t port = 0;
    auto operator<=>(const HostPort&) const = default;
};

struct Backend {
    Address address;
    uint16_t port = 0;
    bool operator==(const Backend&) const = default;
};

/// Whether packets to `port` can be translated to `backend`: not from one family to the other, and not from ::1, which
/// the kernel lets go nowhere. What can't is for PortRelay.
bool is_translated(const HostPort& port, const Backend& backend);

/// kedge's one nftables table, by libnftables, in the network namespace of the threads that call it: of the family
/// `ip`, and as long as a network has IPv6 another one of the same name of `ip6`. It remembers what should be in them,
/// and puts the whole back if somebody flushed it. Every change is one transaction. Thread-safe. The table stays when
/// this is destroyed.
class Firewall {
public:
    explicit Firewall(std::string table);

    struct Network {
        std::optional<Subnet> subnet;
        bool internal = false;
        std::optional<Subnet6> subnet6 = {};
        bool operator==(const Network&) const = default;
    };
    /// The whole table anew, in one transaction, so that no packet misses it. Published ports that were there stay.
    /// Without networks there is no table.
    void begin(const std::map<std::string, Network>& networks_by_bridge);

    /// Another one than before if there is one of this bridge.
    void add_network(const std::string& bridge, const Network& network);
    /// With the last network the table goes.
    void remove_network(const std::string& bridge);

    /// Ports that from now on lead there, or (empty) no longer anywhere. Established connections stay where they are.
    /// One whose packets can't be translated is only closed to internal networks.
    using Changes = std::map<HostPort, std::optional<Backend>>;
    void publish(const Changes& changes);

    std::map<HostPort, Backend> published() const;
    /// Whether a network has IPv6.
    bool translates_ipv6() const;

private:
    void rebuild();
    bool has_ipv6() const;
    std::map<HostPort, Backend> read_published();

    const std::string table_;
    NftContext nftables_;
    mutable std::mutex mutex_;
    std::map<std::string, Network> networks_;
    std::map<HostPort, Backend> published_;
    bool made_ipv6_ = false;  // the second table may be there
};

}  // namespace kedge::runtime
