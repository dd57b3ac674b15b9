#include "api/older_versions.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::api {

using nlohmann::json;

namespace {

Error invalid(const std::string& message) {
    return Error(Code::invalid_argument, message);
}

/// A member of what came from outside, if it is of this type: what is of another one is told by whoever reads it.
json* member(json& object, const char* key, json::value_t type) {
    if (!object.is_object()) return nullptr;
    auto found = object.find(key);
    return found != object.end() && found->type() == type ? &*found : nullptr;
}

json* object_in(json* object, const char* key) {
    return object ? member(*object, key, json::value_t::object) : nullptr;
}

std::string text_in(json* object, const char* key) {
    json* text = object ? member(*object, key, json::value_t::string) : nullptr;
    return text ? text->get<std::string>() : std::string();
}

bool is_set(json* object, const char* key) {
    json* flag = object ? member(*object, key, json::value_t::boolean) : nullptr;
    return flag && flag->get<bool>();
}

/// Everything that was read-only then was so only at its top.
void read_older_mount(json& mount, int api) {
    json* bind = object_in(&mount, "BindOptions");
    if (api < 44) {
        if (is_set(bind, "ReadOnlyForceRecursive"))
            throw invalid("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
        if (text_in(&mount, "Type") == "bind" && is_set(&mount, "ReadOnly") && !is_set(bind, "NonRecursive"))
            mount["BindOptions"]["ReadOnlyNonRecursive"] = true;
    }
    if (api < 42 && bind) bind->erase("CreateMountpoint");
    if (api < 40 && bind) bind->erase("NonRecursive");
    if (api < 45 && !text_in(object_in(&mount, "VolumeOptions"), "Subpath").empty())
        throw invalid("VolumeOptions.Subpath needs API v1.45 or newer");
    if (api < 48 && text_in(&mount, "Type") == "image") throw invalid("Mount type \"Image\" needs API v1.48 or newer");
}

void read_older_endpoints(json& endpoints, int api) {
    if (api < 44 && endpoints.size() > 1) {
        std::vector<std::string> names;
        for (const auto& [name, endpoint] : endpoints.items()) names.push_back(name);
        throw invalid(
            fmt::format("Container cannot be created with multiple network endpoints: {}", fmt::join(names, ", ")));
    }
    for (auto& [name, endpoint] : endpoints.items()) {
        if (!endpoint.is_object()) continue;
        if (api < 48) endpoint.erase("GwPriority");
        if (api < 44) endpoint.erase("MacAddress");
    }
}

json& made_object(json& parent, const char* key) {
    json& value = parent[key];
    if (value.is_null()) value = json::object();
    if (!value.is_object()) throw invalid(std::string(key) + ": must be an object");
    return value;
}

/// The endpoint of the network that the container's network mode names; made if there is none.
json& endpoint_of_mode(json& body, std::string mode, int api) {
    if (mode.empty() || mode == "default") mode = "bridge";
    json& endpoints = made_object(made_object(body, "NetworkingConfig"), "EndpointsConfig");
    if (mode == "bridge" && endpoints.contains("default")) mode = "default";
    if (api < 44 && !endpoints.empty()) mode = endpoints.begin().key();
    if (!endpoints.empty() && !endpoints.contains(mode))
        throw invalid("HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks");
    return made_object(endpoints, mode.c_str());
}

/// The container's hardware address is that of its first network since 1.44.
void move_mac_address(json& body, int api, std::vector<std::string>& warnings) {
    const std::string mac = text_in(&body, "MacAddress");
    if (mac.empty()) return;
    const std::string mode = text_in(object_in(&body, "HostConfig"), "NetworkMode");
    if (mode == "host" || mode == "none" || mode.starts_with("container:"))
        throw invalid("conflicting options: mac-address and the network mode");
    json& endpoint = endpoint_of_mode(body, mode, api);
    const std::string own = text_in(&endpoint, "MacAddress");
    if (!own.empty() && own != mac) {
        throw invalid(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be "
            "left empty");
    }
    endpoint["MacAddress"] = mac;
    body.erase("MacAddress");
    if (api < 44) return;
    warnings.emplace_back(
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.");
}

/// Settings of eth0 are those of the container's first network since 1.46, as that name isn't there before it is wired;
/// since 1.48 they have to be written so.
void move_settings(json& body, int api, std::vector<std::string>& warnings) {
    json* host = object_in(&body, "HostConfig");
    json* settings = object_in(host, "Sysctls");
    if (!settings || text_in(host, "NetworkMode") == "host") return;
    constexpr const char* kOption = "com.docker.network.endpoint.sysctls";
    std::vector<std::string> moved, names;
    for (const auto& [name, value] : settings->items()) {
        const std::vector<std::string> parts = split(name, '.');
        if (parts.size() < 5 || parts[0] != "net" || !parts[3].starts_with("eth") || !value.is_string()) continue;
        if (api >= 48) {
            throw invalid(
                fmt::format("interface specific sysctl setting \"{}\" must be supplied using driver option "
                            "'{}'",
                            name, kOption));
        }
        if (parts[3] != "eth0") {
            throw invalid(
                fmt::format("unable to determine network endpoint for sysctl {}, use driver option '{}' to "
                            "set per-interface sysctls",
                            name, kOption));
        }
        names.push_back(name);
        std::string rest = name.substr(name.find(".eth0.") + 6);
        moved.push_back(fmt::format("net.{}.{}.IFNAME.{}={}", parts[1], parts[2], rest, value.get<std::string>()));
    }
    if (moved.empty()) return;
    for (const std::string& name : names) settings->erase(name);
    json& options = made_object(endpoint_of_mode(body, text_in(host, "NetworkMode"), api), "DriverOpts");
    std::string all = fmt::format("{}", fmt::join(moved, ","));
    if (std::string own = text_in(&options, kOption); !own.empty()) all += "," + own;
    options[kOption] = all;
    warnings.push_back(
        fmt::format("Migrated sysctl \"{}\" to DriverOpts{{\"{}\":\"{}\"}}.", fmt::join(names, ","), kOption, all));
}

/// Of every network that somebody made the aliases had the container's short id with them until 1.45.
void add_own_names(json& networks, const std::string& id) {
    for (auto& [name, endpoint] : networks.items()) {
        if (name == "bridge" || name == "host" || name == "none") continue;
        json aliases = endpoint.value("Aliases", json());
        if (!aliases.is_array()) aliases = json::array();
        const std::string own = id.substr(0, 12);
        if (std::find(aliases.begin(), aliases.end(), own) == aliases.end()) aliases.push_back(own);
        endpoint["Aliases"] = aliases;
    }
}

}  // namespace

std::vector<std::string> read_older_create(json& body, int api) {
    std::vector<std::string> warnings;
    if (json* endpoints = object_in(object_in(&body, "NetworkingConfig"), "EndpointsConfig"))
        read_older_endpoints(*endpoints, api);
    move_mac_address(body, api, warnings);
    move_settings(body, api, warnings);
    if (json* check = object_in(&body, "Healthcheck"); check && api < 44) check->erase("StartInterval");
    json* host = object_in(&body, "HostConfig");
    if (!host) return warnings;
    if (json* mounts = member(*host, "Mounts", json::value_t::array)) {
        for (json& mount : *mounts) read_older_mount(mount, api);
    }
    if (api < 43) host->erase("Annotations");
    if (api < 42) host->erase("ConsoleSize");
    if (api < 40 && text_in(host, "IpcMode").empty()) (*host)["IpcMode"] = "shareable";
    return warnings;
}

void write_older_image_summary(json& item, int api) {
    if (api < 44) item["VirtualSize"] = item.value("Size", json(0));
    if (api >= 43 || !item["RepoTags"].empty() || !item["RepoDigests"].empty()) return;
    item["RepoTags"] = {"<none>:<none>"};
    item["RepoDigests"] = {"<none>@<none>"};
}

void write_older_image(json& inspection, int api) {
    if (api < 50) {  // members of a container's, which an image never had
        json& config = inspection["Config"];
        for (const char* key : {"Hostname", "Domainname", "Image"}) config[key] = "";
        for (const char* key : {"AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"})
            config[key] = false;
    }
    // Of the container that it was made in; who still reads it looks for the image's volumes there.
    if (api < 45) inspection.update({{"Container", ""}, {"ContainerConfig", inspection["Config"]}});
    if (api < 44) inspection["VirtualSize"] = inspection.value("Size", json(0));
}

void write_older_container_summary(json& item, int api) {
    if (api < 46) item["HostConfig"].erase("Annotations");
}

void write_older_container(json& inspection, int api) {
    if (api < 45) add_own_names(inspection["NetworkSettings"]["Networks"], inspection.at("Id").get<std::string>());
}

void write_older_info(json& info, int api) {
    if (api < 50) info.update({{"BridgeNfIptables", false}, {"BridgeNfIp6tables", false}});
    if (api < 49) {
        info.erase("FirewallBackend");
        for (const char* key : {"ContainerdCommit", "RuncCommit", "InitCommit"})
            info[key]["Expected"] = info[key]["ID"];
    }
    if (api < 47) {
        info["RegistryConfig"].update(
            {{"AllowNondistributableArtifactsCIDRs", nullptr}, {"AllowNondistributableArtifactsHostnames", nullptr}});
    }
}

}  // namespace kedge::api
