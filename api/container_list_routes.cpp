#include "api/disk_usage.h"
#include "api/docker_json.h"
#include "api/filters.h"
#include "api/older_versions.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "runtime/engine.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace kedge::api {

using nlohmann::json;
using runtime::ContainerInfo;

namespace {

const std::set<std::string> kFilters = {"id",     "name",   "status", "label", "ancestor", "health", "network",
                                        "volume", "exited", "before", "since", "publish",  "expose", "is-task"};

/// A filter whose values are words of a list.
void expect_words(const Filters& filters, const char* name, const char* what, const std::vector<std::string>& known) {
    for (const std::string& value : filters.values(name)) {
        if (std::find(known.begin(), known.end(), value) != known.end()) continue;
        std::string all;
        for (const std::string& word : known) all += (all.empty() ? "" : ", ") + word;
        throw Error(Code::invalid_argument,
                    fmt::format("invalid filter '{}={}': invalid value for {} ({}): must be one of {}", name, value,
                                what, value, all));
    }
}

void check_values(const Filters& filters) {
    expect_words(filters, "status", "state",
                 {"created", "running", "paused", "restarting", "removing", "exited", "dead"});
    expect_words(filters, "health", "health", {"none", "starting", "healthy", "unhealthy"});
    for (const std::string& value : filters.values("exited")) {
        int code = 0;
        auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), code);
        if (failure != std::errc() || end != value.data() + value.size())
            throw Error(Code::invalid_argument,
                        fmt::format("invalid filter 'exited={0}': \"{0}\" is not a number", value));
    }
    (void)filters.flag("is-task", false);
}

/// Docker's names begin with a slash; people write patterns with it and without.
bool name_matches(const Filters& filters, const ContainerInfo& info) {
    return filters.match("name", info.name) || filters.match("name", "/" + info.name);
}

bool network_matches(const Filters& filters, const ContainerInfo& info) {
    if (!filters.has("network")) return true;
    auto asked = [&](const std::string& name) { return filters.exact("network", name); };
    return std::any_of(info.networks.begin(), info.networks.end(), [&](const auto& n) { return asked(n.network); }) ||
           std::any_of(info.endpoints.begin(), info.endpoints.end(),
                       [&](const auto& e) { return asked(e.network) || filters.prefix("network", e.network_id); });
}

bool volume_matches(const Filters& filters, const ContainerInfo& info) {
    return !filters.has("volume") ||
           std::any_of(info.mounts.begin(), info.mounts.end(), [&](const runtime::Mount& mount) {
               return filters.exact("volume", mount.source) || filters.exact("volume", mount.target);
           });
}

/// The ids of the images that `ancestor` filters name; unknown images are nobody's ancestor.
std::set<Digest> ancestors(const Filters& filters, runtime::Images& images) {
    std::set<Digest> ids;
    for (const std::string& name : filters.values("ancestor")) {
        try {
            ids.insert(images.get(name).id);
        } catch (const Error& error) {
            if (error.code() != Code::not_found) throw;
        }
    }
    return ids;
}

bool exited_matches(const Filters& filters, const ContainerInfo& info) {
    return !filters.has("exited") ||
           (info.status == runtime::Status::exited && filters.exact("exited", std::to_string(info.exit_code)));
}

/// `80`, `80-90/udp`: what `publish` and `expose` ask for.
struct PortFilter {
    int first = 0, last = 0;
    runtime::Protocol protocol = runtime::Protocol::tcp;

    bool has(int port, runtime::Protocol its_protocol) const {
        return port >= first && port <= last && protocol == its_protocol;
    }
};

std::vector<PortFilter> port_filters(const Filters& filters, const char* name) {
    std::vector<PortFilter> result;
    for (const std::string& text : filters.values(name)) {
        auto number = [&](const std::string& digits) {
            uint16_t value = 0;
            auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
            if (failure != std::errc() || end != digits.data() + digits.size())
                throw Error(
                    Code::invalid_argument,
                    fmt::format("error while looking up for {} {}: \"{}\" is not a number", name, text, digits));
            return static_cast<int>(value);
        };
        size_t slash = text.find('/'), dash = text.find('-');
        std::string protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
        if (protocol != "tcp" && protocol != "udp")
            throw Error(Code::invalid_argument,
                        fmt::format("error while looking up for {} {}: invalid proto", name, text));
        std::string ports = text.substr(0, slash);
        PortFilter filter;
        filter.first = number(ports.substr(0, dash));
        filter.last = dash < ports.size() ? number(ports.substr(dash + 1)) : filter.first;
        if (protocol == "udp") filter.protocol = runtime::Protocol::udp;
        result.push_back(filter);
    }
    return result;
}

bool has_port(const std::vector<PortFilter>& asked, const ContainerInfo& info, uint16_t runtime::PortBinding::*which) {
    return asked.empty() || std::any_of(info.ports.begin(), info.ports.end(), [&](const runtime::PortBinding& port) {
               return port.*which != 0 && std::any_of(asked.begin(), asked.end(), [&](const PortFilter& filter) {
                          return filter.has(port.*which, port.protocol);
                      });
           });
}

/// `before` and `since` name containers; only those created earlier or later than them are listed.
void keep_by_age(const Filters& filters, runtime::Containers& containers, std::vector<ContainerInfo>& list) {
    for (const std::string& name : filters.values("before")) {
        WallTime limit = containers.snapshot(name)->created;
        std::erase_if(list, [&](const ContainerInfo& info) { return info.created >= limit; });
    }
    for (const std::string& name : filters.values("since")) {
        WallTime limit = containers.snapshot(name)->created;
        std::erase_if(list, [&](const ContainerInfo& info) { return info.created <= limit; });
    }
}

int read_limit(const Request& request) {
    std::string text = request.parameter("limit");
    if (text.empty()) return -1;
    int limit = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (failure != std::errc() || end != text.data() + text.size())
        throw Error(Code::invalid_argument, "limit: \"" + text + "\" is not a number");
    return limit;
}

Response list_containers(const Request& request, const Services& services) {
    Filters filters(request, kFilters);
    check_values(filters);
    const std::vector<PortFilter> published = port_filters(filters, "publish"),
                                  exposed = port_filters(filters, "expose");
    if (filters.flag("is-task", false)) return json_reply(json::array());  // tasks are a swarm's
    int limit = read_limit(request);
    bool all = request.flag("all") || limit > 0 || filters.has("status") || filters.has("exited");
    std::set<Digest> images = ancestors(filters, services.engine.images());
    std::vector<ContainerInfo> list = services.engine.containers().list();
    keep_by_age(filters, services.engine.containers(), list);
    WallTime now = wall_now();
    json result = json::array();
    for (const ContainerInfo& info : list) {
        if (limit > 0 && result.size() >= static_cast<size_t>(limit)) break;
        bool runs = info.status == runtime::Status::running || info.status == runtime::Status::paused ||
                    info.status == runtime::Status::restarting;
        if (!all && !runs) continue;
        if (filters.has("ancestor") && !images.contains(info.image_id)) continue;
        if (!filters.exact("status", std::string(runtime::to_string(info.status)))) continue;
        if (!filters.exact("health", std::string(runtime::to_string(info.health.status)))) continue;
        if (!filters.prefix("id", info.id) || !filters.labels(info.labels) || !name_matches(filters, info)) continue;
        if (!network_matches(filters, info) || !volume_matches(filters, info)) continue;
        if (!exited_matches(filters, info)) continue;
        if (!has_port(published, info, &runtime::PortBinding::host_port)) continue;
        if (!has_port(exposed, info, &runtime::PortBinding::container_port)) continue;
        json item = container_summary(info, now);
        put_volume_folders(item["Mounts"], services.engine.volumes());
        write_older_container_summary(item, request.api);
        if (request.flag("size")) {
            try {
                put_size(item, services.engine.containers().size(info.id));
            } catch (const Error& error) {
                if (error.code() != Code::not_found) throw;
                continue;  // removed meanwhile
            }
        }
        result.push_back(std::move(item));
    }
    return json_reply(result);
}

}  // namespace

void add_container_list_routes(Router& router, const Services& services) {
    router.add("GET", "/containers/json",
               [&services](const Request& request) { return list_containers(request, services); });
}

}  // namespace kedge::api
