#include "runtime/networks/bridge_networks.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/fault.h"
#include "runtime/networks/host_addresses.h"
#include "runtime/networks/network_state.h"
#include "runtime/networks/network_sysctls.h"

#include <algorithm>
#include <iterator>

namespace kedge::runtime {

namespace {

void check_name(const std::string& name) {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    const bool fine =
        !name.empty() && name.size() <= 255 && letter(name[0]) && name != "host" && name != "none" &&
        std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '_' || c == '.' || c == '-'; });
    if (!fine) throw Error(Code::invalid_argument, "invalid network name: \"" + name + "\"");
}

template <typename Range>
Range parse_subnet(const std::string& text) {
    try {
        return Range::parse(text);
    } catch (const Error& e) {
        if (std::string_view(e.what()).find("CIDR") == std::string_view::npos)
            throw Error(Code::invalid_argument, std::string("invalid network config:\n") + e.what());
        throw Error(Code::invalid_argument,
                    "invalid network config:\ninvalid subnet " + text + ": invalid CIDR block notation");
    }
}

Subnet check_subnet(const std::string& text) {
    Subnet subnet = parse_subnet<Subnet>(text);
    const Subnet unusable[] = {Subnet::parse("0.0.0.0/8"), Subnet::parse("127.0.0.0/8"), Subnet::parse("224.0.0.0/3")};
    for (const Subnet& bad : unusable) {
        if (subnet.overlaps(bad))
            throw Error(Code::invalid_argument, "invalid subnet " + text + ": it overlaps " + bad.str());
    }
    if (subnet.prefix > 30)
        throw Error(Code::invalid_argument, "invalid subnet " + text + ": it has no room for containers");
    return subnet;
}

void check_range(const std::string& text, const Subnet& subnet) {
    if (text.empty()) return;
    const Subnet range = parse_subnet<Subnet>(text);
    if (range.prefix < subnet.prefix || !subnet.contains(range.base))
        throw Error(Code::invalid_argument, "no matching subnet for range " + text);
    if (!subnet.usable(range.base) && !subnet.usable(range.broadcast()))
        throw Error(Code::invalid_argument, "invalid range " + text + ": it has no room for containers");
}

Subnet6 check_subnet6(const std::string& text) {
    const Subnet6 subnet = parse_subnet<Subnet6>(text);
    // What stands for nobody, loopback and IPv4; what is of one link alone; groups.
    for (const char* other : {"::/8", "fe80::/10", "ff00::/8"}) {
        if (subnet.overlaps(Subnet6::parse(other)))
            throw Error(Code::invalid_argument, "invalid subnet " + text + ": it overlaps " + other);
    }
    if (subnet.prefix > 126)
        throw Error(Code::invalid_argument, "invalid subnet " + text + ": it has no room for containers");
    return subnet;
}

void check_range6(const std::string& text, const Subnet6& subnet) {
    if (text.empty()) return;
    const Subnet6 range = parse_subnet<Subnet6>(text);
    if (range.prefix < subnet.prefix || !subnet.contains(range.base))
        throw Error(Code::invalid_argument, "no matching subnet for range " + text);
    if (!subnet.usable(range.last()))
        throw Error(Code::invalid_argument, "invalid range " + text + ": it has no room for containers");
}

}  // namespace

void BridgeNetworks::State::choose_ipv6(NetworkSpec& spec, const std::vector<std::string>& bridges) const {
    if (!spec.ipv6) {
        for (const std::string& text : {spec.subnet6, spec.gateway6, spec.ip_range6}) {
            if (!text.empty())
                throw Error(Code::invalid_argument, "the network has no IPv6, which " + text + " is of",
                            "--ipv6 gives it some");
        }
        return;
    }
    require_ipv6();
    constexpr uint32_t kLeastMtu = 1280;  // RFC 8200, 5; the kernel turns IPv6 off below
    if (const uint32_t mtu = parse_network_options(spec.options).mtu; mtu != 0 && mtu < kLeastMtu)
        throw Error(Code::invalid_argument,
                    "IPv6 needs an MTU of at least 1280, and the network's is " + std::to_string(mtu));
    std::vector<Subnet6> taken;
    for (const auto& [id, network] : networks) {
        if (network.subnet6) taken.push_back(*network.subnet6);
    }
    std::vector<Subnet6> used = ipv6_subnets_in_use(bridges);
    Subnet6 subnet;
    if (spec.subnet6.empty()) {
        taken.insert(taken.end(), used.begin(), used.end());
        subnet = free_subnet(pool6, taken);
    } else {
        subnet = check_subnet6(spec.subnet6);
        // A part of what the host has on a link may be a network's; all of it, or an address that the host has, not.
        std::copy_if(used.begin(), used.end(), std::back_inserter(taken), [&](const Subnet6& other) {
            return subnet.contains(other.base) && other.prefix >= subnet.prefix;
        });
        if (std::any_of(taken.begin(), taken.end(), [&](const Subnet6& other) { return other.overlaps(subnet); }))
            throw Error(Code::conflict, "invalid pool request: Pool overlaps with other one on this address space");
    }
    spec.subnet6 = subnet.str();
    const std::string asked = spec.gateway6;
    spec.gateway6 = asked.empty() ? subnet.first().str() : Ipv6::parse(asked).str();
    if (!subnet.usable(Ipv6::parse(spec.gateway6)))
        throw Error(Code::invalid_argument, "no matching subnet for gateway " + asked);
    check_range6(spec.ip_range6, subnet);
}

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
    std::vector<std::string> bridges;
    std::vector<Subnet> taken;
    for (const auto& [id, network] : state_->networks) {
        if (network.info.spec.name == spec.name)
            throw Error(Code::conflict, "network with name " + spec.name + " already exists");
        bridges.push_back(network.info.bridge);
        taken.push_back(network.subnet);
    }
    std::vector<Subnet> used = subnets_in_use(bridges);
    taken.insert(taken.end(), used.begin(), used.end());

    NetworkInfo info;
    info.id = random_hex(32);
    info.spec = spec;
    info.bridge = options.bridge.empty() ? state_->link_prefix + info.id.substr(0, 8) : options.bridge;
    info.created = wall_now();
    const Subnet subnet = spec.subnet.empty() ? free_subnet(state_->pools, taken) : check_subnet(spec.subnet);
    if (std::any_of(taken.begin(), taken.end(), [&](const Subnet& other) { return other.overlaps(subnet); })) {
        throw Error(Code::conflict, "invalid pool request: Pool overlaps with other one on this address space");
    }
    info.spec.subnet = subnet.str();
    if (spec.gateway.empty()) info.spec.gateway = subnet.first().str();
    if (!subnet.usable(Ipv4::parse(info.spec.gateway))) {
        throw Error(Code::invalid_argument, "no matching subnet for gateway " + spec.gateway);
    }
    check_range(spec.ip_range, subnet);
    state_->choose_ipv6(info.spec, bridges);

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
    return state_->find(network).gateway.str();
}

}  // namespace kedge::runtime
