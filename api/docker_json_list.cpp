#include "api/docker_json.h"
#include "base/error.h"
#include "runtime/containers.h"
#include "runtime/networks.h"
#include "runtime/volumes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;
using runtime::ContainerInfo;
using runtime::Mount;

int64_t unix_seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string status_text(const ContainerInfo& info, WallTime now) {
    auto since = [&](WallTime time) { return human_duration(now - time); };
    switch (info.status) {
        case runtime::Status::created: return "Created";
        case runtime::Status::removing: return "Removal In Progress";
        case runtime::Status::dead: return "Dead";
        case runtime::Status::restarting:
            return fmt::format("Restarting ({}) {} ago", info.exit_code, since(info.finished));
        case runtime::Status::paused: return fmt::format("Up {} (Paused)", since(info.started));
        case runtime::Status::exited: return fmt::format("Exited ({}) {} ago", info.exit_code, since(info.finished));
        case runtime::Status::running: break;
    }
    std::string text = "Up " + since(info.started);
    switch (info.health.status) {
        case runtime::Health::Status::none: return text;
        case runtime::Health::Status::starting: return text + " (health: starting)";
        case runtime::Health::Status::healthy: return text + " (healthy)";
        case runtime::Health::Status::unhealthy: return text + " (unhealthy)";
    }
    return text;
}

json endpoints_json(const ContainerInfo& info) {
    json networks = json::object();
    // While it doesn't run they only say which networks there will be.
    for (const runtime::NetworkAttachment& asked : info.networks) {
        runtime::NetworkEndpoint is;
        for (const runtime::NetworkEndpoint& endpoint : info.endpoints) {
            if (endpoint.network == asked.network && endpoint.is_there()) is = endpoint;
        }
        const bool mode = asked.network == runtime::kHostNetwork || asked.network == runtime::kNoNetwork;
        if (mode) is.network_id = runtime::id_of_mode(asked.network);
        const bool is_there = is.is_there() || (mode && info.pid > 0);
        // The default network gives nobody a name.
        json names = nullptr;
        if (!mode && asked.network != runtime::kDefaultNetwork) {
            names = {info.name};
            for (const std::string& alias : asked.aliases) names.push_back(alias);
            names.push_back(info.id.substr(0, 12));
        }
        json fixed = nullptr;
        if (!asked.ip.empty()) fixed["IPv4Address"] = asked.ip;
        if (!asked.ip6.empty()) fixed["IPv6Address"] = asked.ip6;
        networks[asked.network] = {{"IPAMConfig", fixed},
                                   {"Links", nullptr},
                                   {"Aliases", asked.aliases.empty() ? json(nullptr) : json(asked.aliases)},
                                   {"NetworkID", is.network_id},
                                   {"EndpointID", is_there ? endpoint_id(info.id, is.network_id) : ""},
                                   {"Gateway", is.gateway},
                                   {"IPAddress", is.ip},
                                   {"IPPrefixLen", is.prefix_length},
                                   {"IPv6Gateway", is.gateway6},
                                   {"GlobalIPv6Address", is.ip6},
                                   {"GlobalIPv6PrefixLen", is.prefix_length6},
                                   {"MacAddress", is.mac.empty() ? asked.mac : is.mac},
                                   {"GwPriority", asked.gateway_priority},
                                   {"DriverOpts", asked.options.empty() ? json(nullptr) : json(asked.options)},
                                   {"DNSNames", names}};
    }
    return networks;
}

json mounts_json(const ContainerInfo& info) {
    json mounts = json::array();
    for (const Mount& mount : info.mounts) {
        json item = {
            {"Destination", mount.target}, {"Mode", ""}, {"RW", !mount.read_only}, {"Propagation", mount.propagation}};
        switch (mount.type) {
            case Mount::Type::bind:
                item.update({{"Type", "bind"}, {"Source", mount.source}});
                if (mount.propagation.empty()) item["Propagation"] = "rprivate";
                break;
            case Mount::Type::volume:
                item.update({{"Type", "volume"}, {"Name", mount.source}, {"Driver", "local"}, {"Source", ""}});
                break;
            case Mount::Type::image:
                item.update({{"Type", "image"}, {"Name", mount.source}, {"Source", ""}, {"RW", false}});
                item["Propagation"] = "rprivate";
                break;
            case Mount::Type::tmpfs: item.update({{"Type", "tmpfs"}, {"Source", ""}}); break;
        }
        mounts.push_back(std::move(item));
    }
    return mounts;
}

void put_volume_folders(json& mounts, const runtime::Volumes& volumes) {
    for (json& mount : mounts) {
        if (mount.at("Type") != "volume") continue;
        try {
            mount["Source"] = volumes.inspect(mount.at("Name").get<std::string>()).mountpoint;
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
            mount["Source"] = "";  // removed meanwhile
        }
    }
}

namespace {

std::string command_line(const std::vector<std::string>& arguments) {
    std::string line;
    for (const std::string& argument : arguments) {
        if (!line.empty()) line += ' ';
        line += argument.find(' ') == std::string::npos ? argument : "'" + argument + "'";
    }
    return line;
}

json ports_json(const ContainerInfo& info) {
    json ports = json::array();
    for (const runtime::PortBinding& port : info.ports) {
        json item = {{"PrivatePort", port.container_port},
                     {"Type", port.protocol == runtime::Protocol::tcp ? "tcp" : "udp"}};
        if (port.host_port != 0) {
            item["IP"] = port.host_ip.empty() ? "0.0.0.0" : port.host_ip;
            item["PublicPort"] = port.host_port;
        }
        ports.push_back(std::move(item));
    }
    return ports;
}

}  // namespace

json container_summary(const ContainerInfo& info, WallTime now) {
    const runtime::ContainerSpec& spec = info.spec;
    std::string mode = !spec.network_mode.empty() ? spec.network_mode
                       : spec.networks.empty()    ? "none"
                                                  : spec.networks.front().network;
    json host = {{"NetworkMode", mode}};
    if (!spec.annotations.empty()) host["Annotations"] = spec.annotations;
    return {{"Id", info.id},
            {"Names", {"/" + info.name}},
            {"Image", spec.image_name.empty() ? spec.image : spec.image_name},
            {"ImageID", info.image_id.str()},
            {"Command", command_line(info.arguments)},
            {"Created", unix_seconds(info.created)},
            {"Ports", ports_json(info)},
            {"Labels", info.labels},
            {"State", runtime::to_string(info.status)},
            {"Status", status_text(info, now)},
            {"HostConfig", host},
            {"NetworkSettings", {{"Networks", endpoints_json(info)}}},
            {"Mounts", mounts_json(info)}};
}

}  // namespace kedge::api
