#include "reconciler/draft.h"

#include "base/error.h"
#include "reconciler/labels.h"
#include "reconciler/render.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

const runtime::NetworkInfo* find_network(const Observed& observed, const std::string& name) {
    for (const runtime::NetworkInfo& network : observed.networks) {
        if (network.spec.name == name) return &network;
    }
    return nullptr;
}

std::string label(const runtime::NetworkSpec& spec, const char* key) {
    auto found = spec.labels.find(key);
    return found == spec.labels.end() ? std::string() : found->second;
}

bool same_network(const runtime::NetworkSpec& is, const runtime::NetworkSpec& wanted) {
    std::string hash = label(is, kConfigHashLabel);
    if (!hash.empty()) return hash == label(wanted, kConfigHashLabel);
    return is.driver == wanted.driver && is.internal == wanted.internal && is.options == wanted.options &&
           (wanted.subnet.empty() || is.subnet == wanted.subnet) &&
           (wanted.gateway.empty() || is.gateway == wanted.gateway) && is.ipv6 == wanted.ipv6 &&
           (wanted.subnet6.empty() || is.subnet6 == wanted.subnet6) &&
           (wanted.gateway6.empty() || is.gateway6 == wanted.gateway6) && is.ipv4 == wanted.ipv4 &&
           is.attachable == wanted.attachable && is.ip_range == wanted.ip_range && is.ip_range6 == wanted.ip_range6 &&
           is.aux_addresses == wanted.aux_addresses && is.aux_addresses6 == wanted.aux_addresses6;
}

std::string network_difference(const runtime::NetworkSpec& is, const runtime::NetworkSpec& wanted) {
    auto change = [](const char* what, const std::string& from, const std::string& to) {
        return std::string(what) + " changed from " + (from.empty() ? "automatic" : from) + " to " +
               (to.empty() ? "automatic" : to);
    };
    if (is.driver != wanted.driver) return change("driver", is.driver, wanted.driver);
    if (is.internal != wanted.internal) return wanted.internal ? "became internal" : "is no longer internal";
    if (!wanted.subnet.empty() && is.subnet != wanted.subnet) return change("subnet", is.subnet, wanted.subnet);
    if (!wanted.gateway.empty() && is.gateway != wanted.gateway) return change("gateway", is.gateway, wanted.gateway);
    if (is.ipv4 != wanted.ipv4) return wanted.ipv4 ? "gets IPv4" : "no longer has IPv4";
    if (is.ipv6 != wanted.ipv6) return wanted.ipv6 ? "gets IPv6" : "no longer has IPv6";
    if (!wanted.subnet6.empty() && is.subnet6 != wanted.subnet6) return change("subnet", is.subnet6, wanted.subnet6);
    if (!wanted.gateway6.empty() && is.gateway6 != wanted.gateway6)
        return change("gateway", is.gateway6, wanted.gateway6);
    if (is.ip_range != wanted.ip_range) return change("range", is.ip_range, wanted.ip_range);
    if (is.ip_range6 != wanted.ip_range6) return change("range", is.ip_range6, wanted.ip_range6);
    return "its configuration changed";
}

/// Nobody else's container may lose its network.
void check_connected(const Draft& draft, const runtime::NetworkInfo& network) {
    for (const std::string& id : network.containers) {
        auto found = std::find_if(draft.observed.containers.begin(), draft.observed.containers.end(),
                                  [&](const ObservedContainer& c) { return c.info.id == id; });
        if (found != draft.observed.containers.end() && belongs(*found, draft.target)) continue;
        throw Error(Code::conflict,
                    "network " + network.spec.name + " has to be made anew, but container " + id.substr(0, 12) +
                        ", which is not part of project " + draft.target.project.name + ", is connected to it",
                    "disconnect or stop that container");
    }
}

}  // namespace

void find_new_networks(Draft& draft) {
    const sources::Project& project = draft.target.project;
    for (const std::string& key : used_networks(project)) {
        auto found = project.networks.find(key);
        if (found == project.networks.end()) continue;  // render() names the service that wants it
        const sources::Network& network = found->second;
        const runtime::NetworkInfo* is = find_network(draft.observed, network.name);
        if (network.external) {
            if (!is)
                throw Error(Code::not_found,
                            "network " + network.name + " declared as external, but could not be found");
            continue;
        }
        if (!is) continue;
        if (label(is->spec, kProjectLabel) != project.name) {
            throw Error(Code::conflict,
                        "network " + network.name + " exists, but is not part of project " + project.name,
                        "remove it, or declare it as external");
        }
        if (same_network(is->spec, render_network(draft.target, network))) continue;
        check_connected(draft, *is);
        draft.new_networks.insert(network.name);
    }
}

void add_networks(Draft& draft) {
    const sources::Project& project = draft.target.project;
    for (const std::string& key : used_networks(project)) {
        auto found = project.networks.find(key);
        if (found == project.networks.end() || found->second.external) continue;
        const runtime::NetworkInfo* is = find_network(draft.observed, found->second.name);
        if (is && !draft.new_networks.contains(found->second.name)) continue;
        runtime::NetworkSpec wanted = render_network(draft.target, found->second);
        std::string reason = is ? network_difference(is->spec, wanted) : "is missing";
        if (is) draft.add(RemoveNetwork{wanted.name}, reason);
        draft.add(CreateNetwork{std::move(wanted)}, reason);
    }
}

void add_network_removals(Draft& draft) {
    const sources::Project& project = draft.target.project;
    std::set<std::string> used;
    for (const std::string& key : used_networks(project)) {
        auto found = project.networks.find(key);
        if (found != project.networks.end()) used.insert(found->second.name);
    }
    for (const ObservedContainer& container : draft.observed.containers) {
        if (draft.gone.contains(container.info.id)) continue;
        for (const runtime::NetworkAttachment& attachment : container.info.spec.networks)
            used.insert(attachment.network);
    }
    for (const runtime::NetworkInfo& network : draft.observed.networks) {
        if (label(network.spec, kProjectLabel) != project.name || used.contains(network.spec.name)) continue;
        draft.add(RemoveNetwork{network.spec.name}, "no service uses it any more");
    }
}

void add_volumes(Draft& draft) {
    for (const auto& [key, volume] : draft.target.project.volumes) {
        bool there = std::any_of(draft.observed.volumes.begin(), draft.observed.volumes.end(),
                                 [&name = volume.name](const runtime::VolumeInfo& v) { return v.spec.name == name; });
        if (there) continue;
        if (volume.external) throw Error(Code::not_found, "external volume \"" + volume.name + "\" not found");
        draft.add(CreateVolume{render_volume(draft.target, volume)}, "is missing");
    }
}

}  // namespace kedge::reconciler
