// What a container's start and end need of its networks.
#include "base/digest.h"
#include "base/error.h"
#include "base/fault.h"
#include "runtime/networks/network_state.h"

#include <algorithm>
#include <optional>

namespace kedge::runtime {

namespace {

// Whether `old` is what this binding of a spec came to, or goes on with. A port that the kernel chose is recognised by
// where it leads to.
bool is_same(const PortBinding& binding, const PortBinding& old) {
    return binding.protocol == old.protocol && host_port_of(binding).address == host_port_of(old).address &&
           (binding.host_port == 0 ? binding.container_port == old.container_port : binding.host_port == old.host_port);
}

// The binding of `wanted` (taken out of it) that goes on with what `old` publishes, if there is one.
std::optional<PortBinding> successor_of(const PortBinding& old, std::vector<PortBinding>& wanted) {
    auto found =
        std::find_if(wanted.begin(), wanted.end(), [&](const PortBinding& binding) { return is_same(binding, old); });
    if (found == wanted.end()) return std::nullopt;
    PortBinding binding = *found;
    binding.host_port = old.host_port;
    wanted.erase(found);
    return binding;
}

}  // namespace

BridgeNetworks::Attached BridgeNetworks::reserve(const Attachment& attachment) {
    disconnect(attachment.container_id);  // a start that was given up
    std::lock_guard lock(state_->mutex);
    State::Container container{attachment, {}, {}};
    Attached& attached = container.attached;
    try {
        for (const NetworkAttachment& wanted : attachment.networks) {
            const State::Network& network = state_->find(wanted.network);
            if (state_->endpoint_of(container, network.info.id)) {
                throw Error(Code::invalid_argument, "container " + attachment.container_name + " is twice in network " +
                                                        network.info.spec.name);
            }
            attached.endpoints.push_back(state_->take_endpoint(attachment, wanted));
        }
        const bool can_publish = !attachment.changed_by_hand || state_->has_way_out(attached);
        const bool publish = attachment.publish_ports && !attachment.ports.empty() && can_publish;
        if (publish) (void)state_->outward_address(container, false);
        if (publish) {
            attached.ports = by_family(attachment.ports);
            container.held = state_->hold_unshared(attached.ports);
        }
    } catch (const Error&) {
        for (const NetworkEndpoint& endpoint : attached.endpoints) state_->give_back(endpoint);
        throw;
    }
    Attached result = attached;
    state_->containers.insert_or_assign(attachment.container_id, std::move(container));
    return result;
}

void BridgeNetworks::connect(const Attachment& attachment, const Attached& attached, int netns) {
    std::vector<Endpoint> endpoints;
    {
        std::lock_guard lock(state_->mutex);
        const State::Container container{attachment, attached, {}};
        for (const NetworkEndpoint& endpoint : attached.endpoints)
            endpoints.push_back(state_->link_of(container, endpoint, "eth" + std::to_string(endpoints.size())));
    }
    state_->wire(endpoints, netns);

    std::lock_guard lock(state_->mutex);
    auto found = state_->containers.find(attachment.container_id);
    if (found == state_->containers.end()) {
        throw Error(Code::conflict, "container " + attachment.container_name + " has no reservation on its networks");
    }
    state_->serve_missing_names(found->second.attached);
    state_->add_names(found->second);
    const Firewall::Changes changes = state_->port_changes(found->second, true);
    state_->lead(changes);
    for (HeldPort& port : found->second.held) port.listen();
    state_->relay.listen(found->second.held);
    state_->forget_flows(changes);
}

void BridgeNetworks::disconnect(const std::string& container_id) {
    std::lock_guard lock(state_->mutex);
    auto found = state_->containers.find(container_id);
    if (found == state_->containers.end()) return;
    State::Container container = std::move(found->second);
    state_->containers.erase(found);
    state_->names.remove_container(container_id);
    for (const NetworkEndpoint& endpoint : container.attached.endpoints) state_->give_back(endpoint);
    container.held.clear();
    const Firewall::Changes changes = state_->port_changes(container, false);
    state_->lead(changes);
    state_->forget_flows(changes);
}

void BridgeNetworks::adopt(const Attachment& attachment, const Attached& attached) {
    std::lock_guard lock(state_->mutex);
    state_->containers.erase(attachment.container_id);  // adopted twice: the ports are held anew
    State::Container container{attachment, attached, {}};
    for (const NetworkEndpoint& endpoint : attached.endpoints) state_->hold(endpoint);
    for (const PortBinding& binding : attached.ports) {
        try {
            HeldPort port(host_port_of(binding));
            port.listen();
            container.held.push_back(std::move(port));
        } catch (const Error&) {
            // Somebody took it while no agent ran. The container goes on being reached: nftables come first.
        }
    }
    // Known first: what fails below leaves it its addresses, and its ports are no left-overs.
    State::Container& kept =
        state_->containers.insert_or_assign(attachment.container_id, std::move(container)).first->second;
    state_->add_names(kept);
    state_->lead(state_->port_changes(kept, true));
    state_->relay.listen(kept.held);
}

void BridgeNetworks::move_ports(const std::string& from, const std::string& to, const RecordPorts& record) {
    std::lock_guard lock(state_->mutex);
    auto source = state_->containers.find(from);
    auto target = state_->containers.find(to);
    if (target == state_->containers.end()) throw Error(Code::conflict, "container " + to + " is not connected");
    if (from == to) return;
    const bool has_source = source != state_->containers.end();

    // Worked out on a copy, so that a failure changes nothing.
    State::Container next{target->second.attachment, target->second.attached, {}};
    std::vector<PortBinding> missing = by_family(next.attachment.ports);
    for (const PortBinding& own : next.attached.ports) {
        auto found =
            std::find_if(missing.begin(), missing.end(), [&](const PortBinding& b) { return is_same(b, own); });
        if (found != missing.end()) missing.erase(found);
    }
    State::Container closed;
    if (has_source) {
        for (const PortBinding& binding : source->second.attached.ports) {
            std::optional<PortBinding> moved = successor_of(binding, missing);
            (moved ? next : closed).attached.ports.push_back(moved ? *moved : binding);
        }
    }
    next.held = state_->hold_unshared(missing);
    next.attached.ports.insert(next.attached.ports.end(), missing.begin(), missing.end());
    Firewall::Changes changes = state_->port_changes(next, true);
    const Firewall::Changes closing = state_->port_changes(closed, false);
    changes.insert(closing.begin(), closing.end());
    Firewall::Changes back;
    for (const auto& [port, backend] : changes) back[port] = std::nullopt;
    for (const State::Container* before : {has_source ? &source->second : nullptr, &target->second}) {
        if (!before) continue;
        for (const auto& [port, backend] : state_->port_changes(*before, true)) back[port] = backend;
    }
    fault_point("ports.move.before");
    state_->lead(changes);
    try {
        fault_point("ports.move.after");
        for (HeldPort& port : next.held) port.listen();
        state_->relay.listen(next.held);
        if (has_source) state_->relay.listen(source->second.held);  // what was translated may be no more
        if (record) record(next.attached.ports);
    } catch (...) {
        state_->lead(back);
        state_->forget_flows(back);
        throw;
    }
    target->second.attached.ports = next.attached.ports;
    for (HeldPort& port : next.held) target->second.held.push_back(std::move(port));
    if (has_source) {
        for (HeldPort& port : source->second.held) {
            if (!closing.contains(port.port())) target->second.held.push_back(std::move(port));
        }
        source->second.held.clear();
        source->second.attached.ports.clear();
    }
    state_->forget_flows(changes);
}

void BridgeNetworks::rename(const std::string& container_id, const std::string& name) {
    std::lock_guard lock(state_->mutex);
    auto found = state_->containers.find(container_id);
    if (found == state_->containers.end()) return;
    found->second.attachment.container_name = name;
    state_->add_names(found->second);
}

void BridgeNetworks::remove_leftovers() {
    std::vector<std::string> links;
    {
        std::lock_guard lock(state_->mutex);
        Firewall::Changes changes;
        for (const auto& [port, backend] : state_->firewall.published()) changes[port] = std::nullopt;
        for (const auto& [port, backend] : state_->name_ports) changes.erase(port);
        for (const auto& [id, container] : state_->containers) {
            try {
                for (const auto& [port, backend] : state_->port_changes(container, true)) changes[port] = backend;
            } catch (const Error&) {
                // The record of its network was lost: where its ports led is not known.
            }
        }
        state_->lead(changes);
        state_->forget_flows(changes);
        links = state_->unknown_links();
    }
    for (const std::string& name : links) remove_link(name);
}

}  // namespace kedge::runtime
