#include "runtime/networks/bridge_networks.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/fault.h"
#include "runtime/networks/network_state.h"
#include "runtime/networks/network_sysctls.h"

#include <algorithm>

namespace kedge::runtime {

namespace {

void check_name(const std::string& name) {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    const bool fine =
        !name.empty() && name.size() <= 255 && letter(name[0]) && name != "host" && name != "none" &&
        std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '_' || c == '.' || c == '-'; });
    if (!fine) throw Error(Code::invalid_argument, "invalid network name: \"" + name + "\"");
}

}  // namespace

BridgeNetworks::BridgeNetworks(Options options, Database& database, Events* events)
    : state_(std::make_unique<State>(std::move(options), database, events)) {}

/// The default network is there whether somebody uses it or not: with nobody on it, nothing stays in the kernel. The
/// next agent makes it again.
BridgeNetworks::~BridgeNetworks() {
    try {
        std::lock_guard lock(state_->mutex);
        for (const auto& [id, network] : state_->networks) {
            if (network.info.spec.name != kDefaultNetwork || state_->has_containers(id)) continue;
            state_->stop_serving_names(network);
            state_->firewall.remove_network(network.info.bridge);
            remove_link(network.info.bridge);
        }
    } catch (const Error&) {
        // It stays, as the others do.
    }
}

std::string BridgeNetworks::create(const NetworkSpec& spec) {
    check_name(spec.name);
    if (spec.driver != "bridge") throw Error(Code::invalid_argument, "plugin \"" + spec.driver + "\" not found");
    const NetworkOptions options = parse_network_options(spec.options);
    std::lock_guard lock(state_->mutex);
    for (const auto& [id, network] : state_->networks) {
        if (network.info.spec.name == spec.name)
            throw Error(Code::conflict, "network with name " + spec.name + " already exists");
    }
    NetworkInfo info;
    info.id = random_hex(32);
    info.spec = spec;
    info.bridge = options.bridge.empty() ? state_->link_prefix + info.id.substr(0, 8) : options.bridge;
    info.created = wall_now();
    if (spec.name == kDefaultNetwork) state_->configure(info.spec);
    state_->choose_addresses(info.spec);
    if (!options.bridge.empty()) state_->refuse_existing_link(options.bridge);

    State::Network network(info);
    fault_point("network.create.before_record");
    state_->table.insert(info);
    fault_point("network.create.after_record");
    try {
        enable_forwarding();
        if (info.spec.ipv6) enable_ipv6_forwarding();
        state_->make_link(network);
        state_->firewall.add_network(info.bridge, network.wall());
        state_->serve_names(network);
    } catch (const Error&) {
        state_->firewall.remove_network(info.bridge);
        state_->name_server.close(info.id);
        remove_link(info.bridge);
        state_->table.erase(info.id);
        throw;
    }
    state_->networks.emplace(info.id, std::move(network));
    state_->publish("create", info);
    return info.id;
}

void BridgeNetworks::remove(const std::string& name_or_id) {
    NetworkInfo info;
    {
        std::lock_guard lock(state_->mutex);
        const State::Network& network = state_->find(name_or_id);
        info = network.info;
        if (state_->has_containers(info.id)) {
            throw Error(Code::conflict, "error while removing network: network " + info.spec.name + " id " + info.id +
                                            " has active endpoints");
        }
        fault_point("network.remove.before_record");
        state_->table.erase(info.id);
        fault_point("network.remove.after_record");
        state_->stop_serving_names(network);
        state_->firewall.remove_network(info.bridge);
        state_->networks.erase(info.id);
    }
    remove_link(info.bridge);
    state_->publish("destroy", info);
}

NetworkInfo BridgeNetworks::inspect(const std::string& name_or_id) const {
    std::lock_guard lock(state_->mutex);
    NetworkInfo info = state_->find(name_or_id).info;
    for (const auto& [id, container] : state_->containers) {
        for (const NetworkEndpoint& endpoint : container.attached.endpoints) {
            if (endpoint.network_id == info.id) info.containers.push_back(id);
        }
    }
    return info;
}

std::vector<NetworkInfo> BridgeNetworks::list() const {
    std::vector<std::string> ids;
    {
        std::lock_guard lock(state_->mutex);
        for (const auto& [id, network] : state_->networks) ids.push_back(id);
    }
    std::vector<NetworkInfo> networks;
    for (const std::string& id : ids) {
        try {
            networks.push_back(inspect(id));
        } catch (const Error&) {
            // removed meanwhile
        }
    }
    std::sort(networks.begin(), networks.end(), [](const auto& a, const auto& b) { return a.created < b.created; });
    return networks;
}

std::string BridgeNetworks::name_server(const std::string& network) const {
    std::lock_guard lock(state_->mutex);
    const std::optional<Address> server = state_->find(network).server();
    return server ? to_string(*server) : std::string();
}

}  // namespace kedge::runtime
