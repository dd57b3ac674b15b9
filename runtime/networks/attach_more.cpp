// Networks that a running container joins and leaves.
#include "base/error.h"
#include "base/fault.h"
#include "runtime/networks/conntrack.h"
#include "runtime/networks/network_state.h"

#include <algorithm>

namespace kedge::runtime {

using Change = NetworkEndpoint::Change;

BridgeNetworks::State::Container& BridgeNetworks::State::connected(const std::string& container_id) {
    auto found = containers.find(container_id);
    if (found == containers.end()) throw Error(Code::conflict, "container " + container_id + " is not running");
    return found->second;
}

NetworkEndpoint BridgeNetworks::State::take_endpoint(const Attachment& attachment, const NetworkAttachment& wanted) {
    Network& network = find(wanted.network);
    Ipv4 address;
    if (wanted.ip.empty())
        address = network.addresses.take();
    else
        network.addresses.take(address = Ipv4::parse(wanted.ip));
    NetworkEndpoint endpoint;
    endpoint.network = network.info.spec.name;
    endpoint.network_id = network.info.id;
    endpoint.ip = address.str();
    endpoint.prefix_length = network.subnet.prefix;
    endpoint.gateway = network.gateway.str();
    const std::optional<MacAddress> mac = parse_mac(wanted.mac);
    endpoint.mac = mac ? to_string(*mac) : mac_of(address);
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
    const bool leads_out = out && out->network_id == endpoint.network_id;
    Endpoint made;
    made.host_name = endpoint.link;
    made.bridge = network.info.bridge;
    made.name = name;
    made.address = Ipv4::parse(endpoint.ip);
    made.subnet = network.subnet;
    if (leads_out) made.default_gateway = network.gateway;
    made.mtu = network.mtu;
    made.reflects = leads_out && !container.attachment.ports.empty();
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
    if (way_out(attached)) {
        if (attached.ports.empty() && publish) {
            std::vector<HeldPort> held;
            std::vector<PortBinding> ports;
            for (PortBinding binding : container.attachment.ports) {
                held.emplace_back(host_port_of(binding));
                binding.host_port = held.back().port().port;
                ports.push_back(binding);
            }
            for (HeldPort& port : held) port.listen();
            container.held = std::move(held);
            attached.ports = std::move(ports);
        }
        const Firewall::Changes changes = port_changes(container, true);
        firewall.publish(changes);
        forget_stale_flows(changes);
        return;
    }
    const Firewall::Changes changes = port_changes(container, false);
    firewall.publish(changes);
    container.held.clear();
    attached.ports.clear();
    forget_stale_flows(changes);
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
    const bool first_way_out = !state_->way_out(container.attached);
    NetworkEndpoint* endpoint = state_->endpoint_of(container, network_id);
    if (!endpoint) throw Error(Code::conflict, "container " + container_id + " was disconnected meanwhile");
    endpoint->change = Change::none;
    state_->serve_missing_names(container.attached);
    state_->add_names(container);
    const bool leads_out = !link.default_gateway.any();
    if (leads_out) state_->move_to_way_out(container, publish_ports && first_way_out);
    return container.attached.ports;
}

std::vector<PortBinding> BridgeNetworks::leave(const std::string& container_id, const std::string& network_id,
                                               int netns) {
    std::string link, next_link;
    Ipv4 next_gateway;
    bool reflects = false;
    std::vector<PortBinding> ports;
    {
        std::lock_guard lock(state_->mutex);
        auto found = state_->containers.find(container_id);
        if (found == state_->containers.end()) return {};
        State::Container& container = found->second;
        const NetworkEndpoint* before = state_->way_out(container.attached);
        NetworkEndpoint* endpoint = state_->endpoint_of(container, network_id);
        if (!endpoint) return container.attached.ports;
        const bool led_out = before == endpoint || endpoint->change != Change::none;
        link = endpoint->link;
        const Ipv4 address = Ipv4::parse(endpoint->ip);
        std::erase_if(container.attached.endpoints,
                      [&](const NetworkEndpoint& e) { return e.network_id == network_id; });
        state_->add_names(container);
        if (led_out) state_->move_to_way_out(container, false);
        if (const NetworkEndpoint* next = state_->way_out(container.attached); next && led_out) {
            next_link = next->link;
            next_gateway = state_->find(next->network_id).gateway;
            reflects = !container.attachment.ports.empty();
        }
        auto network = state_->networks.find(network_id);
        if (network != state_->networks.end()) network->second.addresses.give_back(address);
        ports = container.attached.ports;
    }
    if (!link.empty()) remove_link(link);
    if (!next_link.empty() && netns >= 0) set_default_route(next_link, next_gateway, netns, reflects);
    return ports;
}

}  // namespace kedge::runtime
