// Networks that a running container joins and leaves.
#include "base/error.h"
#include "base/fault.h"
#include "runtime/networks/network_state.h"

#include <algorithm>

namespace kedge::runtime {

using Change = NetworkEndpoint::Change;

BridgeNetworks::State::Container& BridgeNetworks::State::connected(const std::string& container_id) {
    auto found = containers.find(container_id);
    if (found == containers.end()) throw Error(Code::conflict, "container " + container_id + " is not running");
    return found->second;
}

std::optional<Ipv4> BridgeNetworks::State::take_ipv4(Network& network, const std::string& wanted) {
    if (!network.addresses) {
        if (wanted.empty()) return {};
        throw Error(Code::invalid_argument,
                    "network " + network.info.spec.name + " has no IPv4, which " + wanted + " is of");
    }
    if (wanted.empty()) return network.addresses->take();
    const Ipv4 fixed = Ipv4::parse(wanted);
    network.addresses->take(fixed);
    return fixed;
}

/// The hardware address follows from the IPv4 address. If the IPv6 address does so too, nobody has a wrong one of it
/// noted when both are given to another container.
std::optional<Ipv6> BridgeNetworks::State::take_ipv6(Network& network, std::optional<Ipv4> address,
                                                     const std::string& wanted) {
    if (!network.addresses6) {
        if (wanted.empty()) return {};
        throw Error(Code::invalid_argument,
                    "network " + network.info.spec.name + " has no IPv6, which " + wanted + " is of");
    }
    if (!wanted.empty()) {
        const Ipv6 fixed = Ipv6::parse(wanted);
        network.addresses6->take(fixed);
        return fixed;
    }
    if (!address) return network.addresses6->take();
    const Ipv6 beside{network.subnet6->base.bits + (address->bits - network.subnet->base.bits)};
    const bool free = network.info.spec.ip_range6.empty() && network.addresses6->take_if_free(beside);
    return free ? beside : network.addresses6->take();
}

NetworkEndpoint BridgeNetworks::State::take_endpoint(const Attachment& attachment, const NetworkAttachment& wanted) {
    Network& network = find(wanted.network);
    const std::optional<Ipv4> address = take_ipv4(network, wanted.ip);
    std::optional<Ipv6> address6;
    try {
        if (attachment.ipv6.value_or(true))
            address6 = take_ipv6(network, address, wanted.ip6);
        else if (!wanted.ip6.empty())
            throw Error(Code::invalid_argument, "container " + attachment.container_name + " can't have " + wanted.ip6 +
                                                    ": its sysctls disable IPv6");
        if (!address && !address6) {
            throw Error(Code::invalid_argument,
                        "container " + attachment.container_name + " can't join network " + network.info.spec.name +
                            ", which has IPv6 alone: " +
                            (network.addresses6 ? "its sysctls disable IPv6" : "this machine has none now"));
        }
    } catch (const Error&) {
        if (address) network.addresses->give_back(*address);
        throw;
    }
    NetworkEndpoint endpoint;
    endpoint.network = network.info.spec.name;
    endpoint.network_id = network.info.id;
    if (address) {
        endpoint.ip = address->str();
        endpoint.prefix_length = network.subnet->prefix;
        endpoint.gateway = network.gateway.str();
    }
    if (address6) {
        endpoint.ip6 = address6->str();
        endpoint.prefix_length6 = network.subnet6->prefix;
        endpoint.gateway6 = network.gateway6.str();
    }
    const std::optional<MacAddress> mac = parse_mac(wanted.mac);
    endpoint.mac = mac ? to_string(*mac) : address ? mac_of(*address) : mac_of(*address6);
    endpoint.options = wanted.options;
    endpoint.aliases = wanted.aliases;
    endpoint.gateway_priority = wanted.gateway_priority;
    endpoint.link = link_name(attachment.container_id);
    return endpoint;
}

Endpoint BridgeNetworks::State::link_of(const Container& container, const NetworkEndpoint& endpoint,
                                        const std::string& name) {
    const Network& network = find(endpoint.network_id);
    const NetworkEndpoint* out = way_out(container.attached);
    const NetworkEndpoint* out6 = way_out(container.attached, true);
    const bool leads_out = out && out->network_id == endpoint.network_id;
    Endpoint made;
    made.host_name = endpoint.link;
    made.bridge = network.info.bridge;
    made.name = name;
    if (!endpoint.ip.empty() && network.subnet) {
        made.address = Ipv4::parse(endpoint.ip);
        made.subnet = *network.subnet;
    }
    if (leads_out) made.default_gateway = network.gateway;
    made.mtu = network.mtu;
    if (!endpoint.ip6.empty() && network.subnet6) {
        made.ipv6 = {Ipv6::parse(endpoint.ip6), *network.subnet6};
        if (out6 && out6->network_id == endpoint.network_id) made.ipv6->default_gateway = network.gateway6;
    }
    made.keeps_ipv6 = container.attachment.ipv6.has_value();
    made.reflects =
        !container.attachment.ports.empty() && (leads_out || (made.ipv6 && !made.ipv6->default_gateway.any()));
    made.mac = parse_mac(endpoint.mac);
    EndpointOptions wishes = parse_endpoint_options(endpoint.options);
    if (!wishes.interface.empty()) made.name = wishes.interface;
    made.settings = std::move(wishes.settings);
    return made;
}

void BridgeNetworks::State::wire(const std::vector<Endpoint>& endpoints, int netns) const {
    try {
        connect_namespace(endpoints, netns);
    } catch (const Error&) {
        if (!restore_links(endpoints)) throw;
        connect_namespace(endpoints, netns);
    }
}

NetworkEndpoint* BridgeNetworks::State::endpoint_of(Container& container, const std::string& network_id) const {
    for (NetworkEndpoint& endpoint : container.attached.endpoints) {
        if (endpoint.network_id == network_id) return &endpoint;
    }
    return nullptr;
}

void BridgeNetworks::State::move_to_way_out(Container& container, bool publish) {
    Attached& attached = container.attached;
    if (has_way_out(attached)) {
        if (attached.ports.empty() && publish) {
            std::vector<PortBinding> ports = by_family(container.attachment.ports);
            std::vector<HeldPort> held = hold_unshared(ports);
            for (HeldPort& port : held) port.listen();
            container.held = std::move(held);
            attached.ports = std::move(ports);
        }
        const Firewall::Changes changes = port_changes(container, true);
        lead(changes);
        relay.listen(container.held);
        forget_flows(changes);
        return;
    }
    const Firewall::Changes changes = port_changes(container, false);
    lead(changes);
    container.held.clear();
    attached.ports.clear();
    forget_flows(changes);
}

NetworkEndpoint BridgeNetworks::join(const std::string& container_id, const NetworkAttachment& wanted) {
    std::lock_guard lock(state_->mutex);
    State::Container& container = state_->connected(container_id);
    const State::Network& network = state_->find(wanted.network);
    if (state_->endpoint_of(container, network.info.id)) {
        throw Error(Code::permission_denied, "endpoint with name " + container.attachment.container_name +
                                                 " already exists in network " + network.info.spec.name);
    }
    NetworkEndpoint endpoint = state_->take_endpoint(container.attachment, wanted);
    endpoint.change = Change::joining;
    container.attached.endpoints.push_back(endpoint);
    return endpoint;
}

std::vector<PortBinding> BridgeNetworks::finish_join(const std::string& container_id, const std::string& network_id,
                                                     int netns, bool publish_ports) {
    std::vector<Endpoint> links;
    {
        std::lock_guard lock(state_->mutex);
        const State::Container& container = state_->connected(container_id);
        State::Container copy{container.attachment, container.attached, {}};
        NetworkEndpoint* endpoint = state_->endpoint_of(copy, network_id);
        if (!endpoint) throw Error(Code::conflict, "container " + container_id + " was disconnected meanwhile");
        endpoint->change = Change::none;
        links.push_back(state_->link_of(copy, *endpoint, ""));
    }
    Endpoint& link = links.front();
    if (is_link(link.host_name)) remove_link(link.host_name);  // half made by a former agent
    if (link.name.empty()) link.name = free_link_name(netns);
    fault_point("network.connect.before_link");
    state_->wire(links, netns);
    fault_point("network.connect.after_link");

    std::lock_guard lock(state_->mutex);
    State::Container& container = state_->connected(container_id);
    const bool first_way_out = !state_->has_way_out(container.attached);
    NetworkEndpoint* endpoint = state_->endpoint_of(container, network_id);
    if (!endpoint) throw Error(Code::conflict, "container " + container_id + " was disconnected meanwhile");
    endpoint->change = Change::none;
    state_->serve_missing_names(container.attached);
    state_->add_names(container);
    const bool leads_out = !link.default_gateway.any() || (link.ipv6 && !link.ipv6->default_gateway.any());
    if (leads_out) state_->move_to_way_out(container, publish_ports && first_way_out);
    return container.attached.ports;
}

std::vector<PortBinding> BridgeNetworks::leave(const std::string& container_id, const std::string& network_id,
                                               int netns) {
    struct Route {
        std::string link;
        Address gateway;
    };
    std::string link;
    std::vector<Route> routes;
    bool reflects = false;
    std::vector<PortBinding> ports;
    {
        std::lock_guard lock(state_->mutex);
        auto found = state_->containers.find(container_id);
        if (found == state_->containers.end()) return {};
        State::Container& container = found->second;
        const NetworkEndpoint* endpoint = state_->endpoint_of(container, network_id);
        if (!endpoint) return container.attached.ports;
        const NetworkEndpoint left = *endpoint;
        bool led_out[2];
        for (const bool ipv6 : {false, true}) {
            led_out[ipv6] = state_->way_out(container.attached, ipv6) == endpoint || endpoint->change != Change::none;
        }
        link = left.link;
        std::erase_if(container.attached.endpoints,
                      [&](const NetworkEndpoint& e) { return e.network_id == network_id; });
        state_->add_names(container);
        if (led_out[0] || led_out[1]) state_->move_to_way_out(container, false);
        for (const bool ipv6 : {false, true}) {
            const NetworkEndpoint* next = state_->way_out(container.attached, ipv6);
            if (!next || !led_out[ipv6]) continue;
            const State::Network& network = state_->find(next->network_id);
            routes.push_back({next->link, ipv6 ? Address(network.gateway6) : Address(network.gateway)});
        }
        reflects = !container.attachment.ports.empty();
        state_->give_back(left);
        ports = container.attached.ports;
    }
    if (!link.empty()) remove_link(link);
    for (const Route& route : routes) {
        if (netns >= 0) set_default_route(route.link, route.gateway, netns, reflects);
    }
    return ports;
}

}  // namespace kedge::runtime
