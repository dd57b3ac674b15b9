#include "api/docker_json.h"
#include "base/digest.h"
#include "runtime/events.h"
#include "runtime/networks.h"
#include "runtime/volumes.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;

json network_json(const runtime::NetworkInfo& info) {
    json containers = json::object();
    for (const std::string& id : info.containers) containers[id] = {{"EndpointID", endpoint_id(id, info.id)}};
    json addresses = json::array();
    auto add = [&](const std::string& subnet, const std::string& gateway, const std::string& range,
                   const std::map<std::string, std::string>& auxiliary) {
        if (subnet.empty()) return;
        addresses.push_back({{"Subnet", subnet}, {"Gateway", gateway}});
        if (!auxiliary.empty()) addresses.back()["AuxiliaryAddresses"] = auxiliary;
        if (!range.empty()) addresses.back()["IPRange"] = range;
    };
    add(info.spec.subnet, info.spec.gateway, info.spec.ip_range, info.spec.aux_addresses);
    add(info.spec.subnet6, info.spec.gateway6, info.spec.ip_range6, info.spec.aux_addresses6);
    return {{"Name", info.spec.name},
            {"Id", info.id},
            {"Created", format_time(info.created)},
            {"Scope", "local"},
            {"Driver", info.spec.driver},
            {"EnableIPv4", info.spec.ipv4},
            {"EnableIPv6", info.spec.ipv6},
            {"IPAM", {{"Driver", "default"}, {"Options", nullptr}, {"Config", addresses}}},
            {"Internal", info.spec.internal},
            {"Attachable", info.spec.attachable},
            {"Ingress", false},
            {"ConfigFrom", {{"Network", ""}}},
            {"ConfigOnly", false},
            {"Containers", containers},
            {"Options", info.spec.options},
            {"Labels", info.spec.labels}};
}

std::string endpoint_id(const std::string& container, const std::string& network_id) {
    return Digest::of(container + network_id).hex();
}

json volume_json(const runtime::VolumeInfo& info) {
    return {{"Name", info.spec.name},
            {"Driver", info.spec.driver},
            {"Mountpoint", info.mountpoint},
            {"CreatedAt", format_time(info.created)},
            {"Labels", info.spec.labels.empty() ? json(nullptr) : json(info.spec.labels)},
            {"Options", info.spec.options.empty() ? json(nullptr) : json(info.spec.options)},
            {"Scope", "local"}};
}

json event_json(const runtime::Event& event) {
    int64_t nanoseconds = event.time.time_since_epoch().count();
    json line = {{"Type", event.type},
                 {"Action", event.action},
                 {"Actor", {{"ID", event.id}, {"Attributes", event.attributes}}},
                 {"scope", "local"},
                 {"time", nanoseconds / 1'000'000'000},
                 {"timeNano", nanoseconds}};
    if (event.type == "container" ||
        event.type == "image") {  // the fields of before API 1.22, which clients still read
        line["status"] = event.action;
        if (!event.id.empty()) line["id"] = event.id;
        if (auto image = event.attributes.find("image"); image != event.attributes.end()) line["from"] = image->second;
    }
    return line;
}

}  // namespace kedge::api
