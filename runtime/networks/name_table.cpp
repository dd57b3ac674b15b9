#include "runtime/networks/name_table.h"

#include <algorithm>

namespace kedge::runtime {

std::string plain_name(std::string name) {
    if (name.ends_with('.')) name.pop_back();
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return name;
}

namespace {

bool holds(const NameTable::Network& network, const Address& address) {
    if (const auto* ipv6 = std::get_if<Ipv6>(&address)) return network.subnet6 && network.subnet6->contains(*ipv6);
    return network.subnet && network.subnet->contains(std::get<Ipv4>(address));
}

bool is_at(const NameTable::Presence& presence, const Address& address) {
    if (const auto* ipv6 = std::get_if<Ipv6>(&address)) return presence.address6 == *ipv6;
    return presence.address == std::get<Ipv4>(address);
}

}  // namespace

void NameTable::add_network(const std::string& id, Network network) {
    std::lock_guard lock(mutex_);
    networks_.insert_or_assign(id, std::move(network));
}

void NameTable::remove_network(const std::string& id) {
    std::lock_guard lock(mutex_);
    networks_.erase(id);
}

void NameTable::add_container(const std::string& id, std::vector<Presence> presences,
                              std::vector<std::string> servers) {
    for (Presence& presence : presences) {
        for (std::string& name : presence.names) name = plain_name(std::move(name));
    }
    std::lock_guard lock(mutex_);
    containers_.insert_or_assign(id, Container{std::move(presences), std::move(servers)});
}

void NameTable::remove_container(const std::string& id) {
    std::lock_guard lock(mutex_);
    containers_.erase(id);
}

std::optional<NameTable::View> NameTable::view_of(const std::string& network_id, const Address& asker) const {
    auto network = networks_.find(network_id);
    if (network == networks_.end() || !holds(network->second, asker)) return {};
    for (const auto& [id, container] : containers_) {
        const std::vector<Presence>& presences = container.presences;
        auto here = [&](const Presence& p) { return p.network_id == network_id && is_at(p, asker); };
        if (std::none_of(presences.begin(), presences.end(), here)) continue;
        View view;
        view.servers = container.servers;
        for (const Presence& presence : presences) {
            view.networks.push_back(presence.network_id);
            auto other = networks_.find(presence.network_id);
            if (other != networks_.end() && !other->second.internal) view.forward = true;
        }
        return view;
    }
    // The host itself, or what somebody put on the bridge by hand. The host's own questions aren't forwarded: its
    // resolver may be the one that asks.
    return View{{network_id}, asker != network->second.gateway && !network->second.internal};
}

std::vector<const NameTable::Presence*> NameTable::presences(const std::string& network_id,
                                                             const std::string& name) const {
    std::vector<const Presence*> found;
    for (const auto& [id, container] : containers_) {
        for (const Presence& presence : container.presences) {
            if (presence.network_id != network_id) continue;
            if (std::find(presence.names.begin(), presence.names.end(), name) == presence.names.end()) continue;
            found.push_back(&presence);
        }
    }
    return found;
}

NameTable::Found NameTable::find(const std::string& network_id, const Address& asker, const std::string& name) {
    std::lock_guard lock(mutex_);
    auto view = view_of(network_id, asker);
    if (!view) return {};
    const std::string plain = plain_name(name);
    for (const std::string& id : view->networks) {
        auto network = networks_.find(id);
        if (network == networks_.end()) continue;
        std::vector<const Presence*> found = presences(id, plain);
        const std::string suffix = "." + plain_name(network->second.name);
        if (found.empty() && plain.ends_with(suffix))
            found = presences(id, plain.substr(0, plain.size() - suffix.size()));
        if (found.empty()) continue;
        std::rotate(found.begin(), found.begin() + static_cast<long>(turn_++ % found.size()), found.end());
        std::vector<Address> addresses;
        for (const Presence* presence : found) {
            if (presence->address) addresses.emplace_back(*presence->address);
        }
        for (const Presence* presence : found) {
            if (presence->address6) addresses.emplace_back(*presence->address6);
        }
        return {Found::Outcome::known, false, std::move(addresses), {}};
    }
    return {Found::Outcome::unknown, view->forward, {}, {}, view->servers};
}

NameTable::Found NameTable::find_address(const std::string& network_id, const Address& asker, const Address& address) {
    std::lock_guard lock(mutex_);
    auto view = view_of(network_id, asker);
    if (!view) return {};
    for (const std::string& id : view->networks) {
        auto network = networks_.find(id);
        if (network == networks_.end() || !holds(network->second, address)) continue;
        for (const auto& [other, container] : containers_) {
            for (const Presence& presence : container.presences) {
                if (presence.network_id != id || !is_at(presence, address) || presence.names.empty()) continue;
                return {Found::Outcome::known, false, {}, presence.names[0] + "." + plain_name(network->second.name)};
            }
        }
        return {Found::Outcome::unknown, false, {}, {}};  // nobody else knows more about an address of ours
    }
    return {Found::Outcome::unknown, view->forward, {}, {}, view->servers};
}

}  // namespace kedge::runtime
