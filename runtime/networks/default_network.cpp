// The network of containers that ask for none, and the modes that are in its place.
#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/networks/network_state.h"
#include "runtime/networks/network_sysctls.h"

#include <algorithm>

namespace kedge::runtime {

std::string id_of_mode(const std::string& mode) {
    return Digest::of("kedge network " + mode).hex();
}

void provide_default_network(Networks& networks) {
    try {
        (void)networks.inspect(kDefaultNetwork);
        return;
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
    }
    NetworkSpec spec;
    spec.name = kDefaultNetwork;
    try {
        (void)networks.create(spec);
    } catch (const Error& e) {
        if (e.code() != Code::conflict) throw;
        (void)networks.inspect(kDefaultNetwork);  // made by somebody else meanwhile, or not for another reason
    }
}

void BridgeNetworks::State::configure(NetworkSpec& spec) const {
    const DefaultNetwork& wanted = options.default_network;
    spec.ipv6 = wanted.ipv6 && has_ipv6();
    if (wanted.ipv6 && !spec.ipv6)
        log(LogLevel::error, "network bridge: the kernel of this machine has no IPv6; the network goes without");
    if (!spec.ipv6)
        spec.subnet6.clear();
    else if (!wanted.subnet6.empty())
        spec.subnet6 = Subnet6::parse(wanted.subnet6).str();  // else the one that it has is as good as any
    spec.gateway6.clear();
}

/// Containers that run stay as they are, without IPv6 there; only those that have an address of it are in the way.
void BridgeNetworks::renew_default_network() {
    std::lock_guard lock(state_->mutex);
    auto found = std::find_if(state_->networks.begin(), state_->networks.end(),
                              [](const auto& one) { return one.second.info.spec.name == kDefaultNetwork; });
    if (found == state_->networks.end()) return;
    State::Network& network = found->second;
    const NetworkSpec before = network.info.spec;
    NetworkSpec spec = before;
    state_->configure(spec);
    if (spec.ipv6 == before.ipv6 && spec.subnet6 == before.subnet6) return;
    for (const auto& [id, container] : state_->containers) {
        for (const NetworkEndpoint& endpoint : container.attached.endpoints) {
            if (endpoint.network_id != found->first || endpoint.ip6.empty()) continue;
            throw Error(Code::conflict,
                        "network bridge keeps the IPv6 subnet " + before.subnet6 + ": container " +
                            container.attachment.container_name + " has the address " + endpoint.ip6 + " there",
                        "stop such containers and start the agent again");
        }
    }
    // Chosen as if it had none, so that it isn't in its own way.
    network.info.spec.ipv6 = false;
    network.begin_ipv6();
    try {
        if (spec.ipv6) state_->choose_ipv6(spec, state_->bridges());
        state_->replace_ipv6(network, spec);
    } catch (const Error&) {
        network.info.spec = before;
        network.begin_ipv6();
        throw;
    }
}

void BridgeNetworks::State::replace_ipv6(Network& network, const NetworkSpec& spec) {
    const std::string& bridge = network.info.bridge;
    network.info.spec = spec;
    network.begin_ipv6();
    if (has_ipv6() && is_link(bridge))
        write_sysctl("ipv6/conf/" + bridge + "/disable_ipv6", "1");  // takes the old addresses off
    if (spec.ipv6) enable_ipv6_forwarding();
    make_link(network);
    firewall.add_network(bridge, network.wall());
    add_to_names(network);
    table.replace(network.info);
}

}  // namespace kedge::runtime
