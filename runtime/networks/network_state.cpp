#include "runtime/networks/network_state.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtime/networks/network_sysctls.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <tuple>

namespace kedge::runtime {

NetworkOptions parse_network_options(const std::map<std::string, std::string>& options) {
    NetworkOptions parsed;
    for (const auto& [name, value] : options) {
        const Error invalid(Code::invalid_argument, "invalid value for network option " + name + ": \"" + value + "\"");
        if (name == "com.docker.network.bridge.name") {
            auto odd = [](char c) { return c <= ' ' || c > '~' || c == '/' || c == ':' || c == '"' || c == '%'; };
            if (value.empty() || value.size() > 15 || value == "." || value == ".." ||
                std::any_of(value.begin(), value.end(), odd))
                throw invalid;
            parsed.bridge = value;
        } else if (name == "com.docker.network.driver.mtu") {
            auto [rest, code] = std::from_chars(value.data(), value.data() + value.size(), parsed.mtu);
            if (code != std::errc() || rest != value.data() + value.size() || parsed.mtu < 68 || parsed.mtu > 65535)
                throw invalid;
        } else if (name == "com.docker.network.bridge.enable_icc" ||
                   name == "com.docker.network.bridge.enable_ip_masquerade") {
            if (value != "true") throw invalid;  // as it always is here
        } else {
            throw Error(Code::invalid_argument, "network option " + name + " is not supported");
        }
    }
    return parsed;
}

namespace {

/// The same for this machine and agent at all times, and most likely no other's.
Subnet6 own_pool6(const std::string& instance) {
    std::string machine;
    try {
        machine = read_file_at(AT_FDCWD, "/etc/machine-id", 4096);
    } catch (const Error&) {
        // A machine without one has the same pool as others without.
    }
    const std::string digits = Digest::of("kedge IPv6 addresses of " + instance + " on " + machine).hex();
    std::string text = "fd" + digits.substr(0, 2) + ":" + digits.substr(2, 4) + ":" + digits.substr(6, 4) + "::/48";
    return Subnet6::parse(text);
}

/// No container gets these.
template <typename One, typename Pool>
void set_aside(Pool& pool, const std::map<std::string, std::string>& addresses) {
    for (const auto& [name, address] : addresses) {
        try {
            pool.take(One::parse(address));
        } catch (const Error& e) {
            throw e.with_context("auxiliary address " + name + ":" + address);
        }
    }
}

}  // namespace

BridgeNetworks::State::Network::Network(NetworkInfo made)
    : info(std::move(made)), mtu(parse_network_options(info.spec.options).mtu) {
    const NetworkSpec& spec = info.spec;
    if (spec.ipv4) {
        subnet = Subnet::parse(spec.subnet);
        gateway = Ipv4::parse(spec.gateway);
        addresses.emplace(*subnet, gateway, spec.ip_range.empty() ? *subnet : Subnet::parse(spec.ip_range));
        set_aside<Ipv4>(*addresses, spec.aux_addresses);
    }
    begin_ipv6();
}

void BridgeNetworks::State::Network::begin_ipv6() {
    const NetworkSpec& spec = info.spec;
    subnet6.reset();
    addresses6.reset();
    if (!spec.ipv6) return;
    subnet6 = Subnet6::parse(spec.subnet6);
    gateway6 = Ipv6::parse(spec.gateway6);
    addresses6.emplace(*subnet6, gateway6, spec.ip_range6.empty() ? *subnet6 : Subnet6::parse(spec.ip_range6));
    set_aside<Ipv6>(*addresses6, spec.aux_addresses6);
}

std::optional<Address> BridgeNetworks::State::Network::server() const {
    if (subnet) return gateway;
    if (subnet6) return gateway6;
    return {};
}

void BridgeNetworks::State::Network::lose_ipv6() {
    log(LogLevel::error,
        "network " + info.spec.name + ": the kernel of this machine has no IPv6 now; the network goes without");
    subnet6.reset();
    addresses6.reset();
}

BridgeNetworks::State::State(Options chosen, Database& database, Events* told)
    : options(std::move(chosen)),
      link_prefix("kdg" + Digest::of(options.instance).hex().substr(0, 4)),
      events(told),
      link_alias("kedge instance " + options.instance),
      table(database),
      firewall(options.instance),
      pool6(own_pool6(options.instance)),
      name_server(names, options.resolv_conf) {
    for (const std::string& pool : options.address_pools) pools.push_back(Subnet::parse(pool));
    std::map<std::string, Firewall::Network> walls;
    for (NetworkInfo& info : table.all()) {
        const std::string id = info.id, what = info.spec.name + " (" +
                                               (info.spec.ipv4 ? info.spec.subnet : info.spec.subnet6) + ", bridge " +
                                               info.bridge + ")";
        try {
            Network network(std::move(info));
            if (network.subnet6 && !has_ipv6()) network.lose_ipv6();
            walls[network.info.bridge] = network.wall();
            networks.emplace(id, std::move(network));
        } catch (const Error& e) {
            log(LogLevel::error, "network dropped, its record is damaged: " + what + ": " + e.what());
            table.erase(id);
        }
    }
    firewall.begin(walls);
    if (!networks.empty()) enable_forwarding();
    if (firewall.translates_ipv6()) enable_ipv6_forwarding();
    for (const auto& [id, network] : networks) {
        try {
            make_link(network);  // gone after a reboot
        } catch (const Error&) {
            // Tried again, and reported, when a container connects: the others must not suffer.
        }
        try {
            serve_names(network);
        } catch (const Error& e) {
            log(LogLevel::error,
                "network " + network.info.spec.name + ": its name server does not answer: " + e.what());
            without_names.insert(id);  // tried again when a container connects
        }
    }
}

BridgeNetworks::State::Network& BridgeNetworks::State::find(const std::string& name_or_id) {
    for (auto& [id, network] : networks) {
        if (network.info.spec.name == name_or_id) return network;
    }
    auto first = networks.lower_bound(name_or_id);
    const auto matches = [&](auto it) { return it != networks.end() && it->first.starts_with(name_or_id); };
    if (name_or_id.empty() || !matches(first)) throw Error(Code::not_found, "network " + name_or_id + " not found");
    if (first->first != name_or_id && matches(std::next(first))) {
        throw Error(Code::invalid_argument, "network " + name_or_id + " is ambiguous: several ids begin with it");
    }
    return first->second;
}

void BridgeNetworks::State::make_link(const Network& network) const {
    std::optional<Ends6> ipv6;
    if (network.subnet6) ipv6 = {network.gateway6, *network.subnet6};
    make_bridge(network.info.bridge, link_alias, network.gateway, network.subnet.value_or(Subnet{}), network.mtu, ipv6);
}

void BridgeNetworks::State::serve_names(const Network& network) {
    const std::optional<Address> server = network.server();
    if (!server) return;
    const NameServer::Ports ports = name_server.listen(network.info.id, *server);
    add_to_names(network);
    Firewall::Changes changes;
    changes[{Protocol::udp, *server, 53}] = Backend{*server, ports.udp};
    changes[{Protocol::tcp, *server, 53}] = Backend{*server, ports.tcp};
    firewall.publish(changes);
    forget_flows(changes);
    for (const auto& [port, backend] : changes) name_ports[port] = backend;
}

void BridgeNetworks::State::add_to_names(const Network& network) {
    names.add_network(network.info.id, {network.info.spec.name, network.subnet, network.server().value(),
                                        network.info.spec.internal, network.subnet6});
}

void BridgeNetworks::State::stop_serving_names(const Network& network) {
    const std::optional<Address> server = network.server();
    if (!server) return;
    Firewall::Changes changes;
    for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
        changes[{protocol, *server, 53}] = std::nullopt;
        name_ports.erase({protocol, *server, 53});
    }
    firewall.publish(changes);
    name_server.close(network.info.id);
    names.remove_network(network.info.id);
}

void BridgeNetworks::State::add_names(const Container& container) {
    std::vector<NameTable::Presence> presences;
    for (const NetworkEndpoint& endpoint : container.attached.endpoints) {
        if (endpoint.change != NetworkEndpoint::Change::none) continue;
        presences.push_back({endpoint.network_id, {}, {}});
        if (!endpoint.ip.empty()) presences.back().address = Ipv4::parse(endpoint.ip);
        if (!endpoint.ip6.empty()) presences.back().address6 = Ipv6::parse(endpoint.ip6);
        if (endpoint.network == kDefaultNetwork) continue;  // it may ask, but has no name there, as with Docker
        auto& list = presences.back().names;
        list = {container.attachment.container_name, container.attachment.container_id.substr(0, 12)};
        list.insert(list.end(), endpoint.aliases.begin(), endpoint.aliases.end());
    }
    names.add_container(container.attachment.container_id, std::move(presences), container.attachment.dns);
}

void BridgeNetworks::State::publish(const std::string& action, const NetworkInfo& network) const {
    if (!events) return;
    events->publish({.type = "network",
                     .action = action,
                     .id = network.id,
                     .attributes = {{"name", network.spec.name}, {"type", network.spec.driver}},
                     .time = {}});
}

std::string BridgeNetworks::State::link_name(const std::string& container_id) const {
    // The old link of a container that is started again may still be dying, hence the random digits.
    return link_prefix + container_id.substr(0, 4) + random_hex(2);
}

std::vector<std::string> BridgeNetworks::State::unknown_links() const {
    std::set<std::string> known;
    for (const auto& [id, network] : networks) known.insert(network.info.bridge);
    std::set<int> own_bridges{0};
    const std::vector<Link> links = list_links();
    for (const Link& link : links) {
        // A bridge gets its alias just after it is made.
        if (link.kind == "bridge" && (link.alias == link_alias || link.alias.empty())) own_bridges.insert(link.index);
    }
    auto of_container = [&](const std::string& name) {
        auto found = containers.lower_bound(name.substr(link_prefix.size(), 4));
        return found != containers.end() && found->first.starts_with(name.substr(link_prefix.size(), 4));
    };
    std::vector<std::string> unknown;
    for (const Link& link : links) {
        const bool ours = link.name.starts_with(link_prefix);
        const bool named = link.kind == "bridge" && link.alias == link_alias;  // by the user
        const bool bridge = (named || (ours && link.kind == "bridge" && own_bridges.contains(link.index))) &&
                            !known.contains(link.name);
        const bool end = ours && link.kind == "veth" && own_bridges.contains(link.master) && !of_container(link.name);
        if (bridge || end) unknown.push_back(link.name);
    }
    return unknown;
}

void BridgeNetworks::State::refuse_existing_link(const std::string& name) const {
    for (const Link& link : list_links()) {
        if (link.name == name) throw Error(Code::conflict, "network interface " + name + " already exists");
    }
}

bool BridgeNetworks::State::restore_links(const std::vector<Endpoint>& endpoints) const {
    std::set<std::string> present;
    for (const Link& link : list_links()) present.insert(link.name);
    bool restored = false;
    std::lock_guard lock(mutex);
    for (const Endpoint& endpoint : endpoints) {
        for (const auto& [id, network] : networks) {
            if (network.info.bridge != endpoint.bridge || present.contains(endpoint.bridge)) continue;
            make_link(network);
            restored = true;
        }
    }
    return restored;
}

void BridgeNetworks::State::serve_missing_names(const Attached& attached) {
    for (const NetworkEndpoint& endpoint : attached.endpoints) {
        auto network = networks.find(endpoint.network_id);
        if (!without_names.contains(endpoint.network_id) || network == networks.end()) continue;
        serve_names(network->second);
        without_names.erase(endpoint.network_id);
    }
}

bool BridgeNetworks::State::has_containers(const std::string& network_id) const {
    for (const auto& [id, container] : containers) {
        for (const NetworkEndpoint& endpoint : container.attached.endpoints) {
            if (endpoint.network_id == network_id) return true;
        }
    }
    return false;
}

void BridgeNetworks::State::give_back(const NetworkEndpoint& endpoint) {
    auto network = networks.find(endpoint.network_id);
    if (network == networks.end()) return;
    if (network->second.addresses && !endpoint.ip.empty())
        network->second.addresses->give_back(Ipv4::parse(endpoint.ip));
    if (network->second.addresses6 && !endpoint.ip6.empty())
        network->second.addresses6->give_back(Ipv6::parse(endpoint.ip6));
}

void BridgeNetworks::State::hold(const NetworkEndpoint& endpoint) {
    auto found = networks.find(endpoint.network_id);
    if (found == networks.end()) return;  // its record was lost; the links still work
    Network& network = found->second;
    try {
        if (network.addresses && !endpoint.ip.empty()) network.addresses->take(Ipv4::parse(endpoint.ip));
        if (network.addresses6 && !endpoint.ip6.empty()) network.addresses6->take(Ipv6::parse(endpoint.ip6));
    } catch (const Error&) {
        // held twice
    }
}

const NetworkEndpoint* BridgeNetworks::State::way_out(const Attached& attached, bool ipv6) const {
    const NetworkEndpoint* best = nullptr;
    for (const NetworkEndpoint& endpoint : attached.endpoints) {
        auto network = networks.find(endpoint.network_id);
        if (endpoint.change != NetworkEndpoint::Change::none || network == networks.end() ||
            network->second.info.spec.internal || (ipv6 ? endpoint.ip6 : endpoint.ip).empty())
            continue;
        auto rank = [](const NetworkEndpoint& e) { return std::tuple(-e.gateway_priority, e.network); };
        if (!best || rank(endpoint) < rank(*best)) best = &endpoint;
    }
    return best;
}

Address BridgeNetworks::State::outward_address(const Container& container, bool ipv6) const {
    for (const bool family : {ipv6, !ipv6}) {
        const NetworkEndpoint* endpoint = way_out(container.attached, family);
        if (endpoint && family) return Ipv6::parse(endpoint->ip6);
        if (endpoint) return Ipv4::parse(endpoint->ip);
    }
    throw Error(Code::invalid_argument, "cannot publish ports of container " + container.attachment.container_name +
                                            ": it is in no network with a way out");
}

Firewall::Changes BridgeNetworks::State::port_changes(const Container& container, bool lead) {
    Firewall::Changes changes;
    if (container.attached.ports.empty()) return changes;
    const Address address = lead ? outward_address(container, false) : Address{};
    const Address address6 = lead ? outward_address(container, true) : Address{};
    for (const PortBinding& binding : container.attached.ports) {
        const HostPort port = host_port_of(binding);
        auto& change = changes[port];
        if (lead) change = Backend{is_ipv6(port.address) ? address6 : address, binding.container_port};
    }
    return changes;
}

std::vector<HeldPort> BridgeNetworks::State::hold_unshared(std::vector<PortBinding>& bindings) const {
    std::vector<HeldPort> held = hold_ports(bindings);
    for (const HeldPort& port : held) {
        if (name_ports.contains(port.port())) throw allocated_already(port.port());
        for (const auto& [id, container] : containers) {
            for (const HeldPort& other : container.held)
                if (collide(port.port(), other.port())) throw allocated_already(port.port());
        }
    }
    return held;
}

void BridgeNetworks::State::lead(const Firewall::Changes& changes) {
    firewall.publish(changes);
    relay.lead(changes);
}

}  // namespace kedge::runtime
