#include "runtime/containers/container_record.h"

#include "base/error.h"
#include "runtime/networks.h"
#include "runtime/store/container_spec_json.h"

#include <nlohmann/json.hpp>

#include <array>

namespace kedge::runtime {

using nlohmann::json;

namespace {

constexpr std::array kStatusNames = {"created", "running", "paused", "restarting", "removing", "exited", "dead"};
constexpr std::array kHealthNames = {"none", "starting", "healthy", "unhealthy"};
constexpr std::array kChangeNames = {"none", "joining", "leaving"};

template <typename Names>
int index_of(const Names& names, const std::string& name) {
    for (size_t i = 0; i < names.size(); ++i) {
        if (name == names[i]) return static_cast<int>(i);
    }
    throw Error(Code::invalid_argument, "container state: unknown word \"" + name + "\"");
}

std::string text_of(const json& j) {
    return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

int64_t number(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime time_at(const json& j, const char* key) {
    return WallTime(Nanoseconds(j.at(key).get<int64_t>()));
}

json health_json(const Health& health) {
    json log = json::array();
    for (const ProbeResult& probe : health.log) {
        log.push_back({{"start", number(probe.start)},
                       {"end", number(probe.end)},
                       {"exit_code", probe.exit_code},
                       {"output", probe.output}});
    }
    return {
        {"status", kHealthNames[static_cast<size_t>(health.status)]}, {"streak", health.failing_streak}, {"log", log}};
}

Health health_from(const json& j) {
    Health health;
    health.status = static_cast<Health::Status>(index_of(kHealthNames, j.at("status").get<std::string>()));
    health.failing_streak = j.at("streak").get<int>();
    for (const json& probe : j.at("log")) {
        health.log.push_back({time_at(probe, "start"), time_at(probe, "end"), probe.at("exit_code").get<int>(),
                              probe.at("output").get<std::string>()});
    }
    return health;
}

json endpoints_json(const std::vector<NetworkEndpoint>& endpoints) {
    json list = json::array();
    for (const NetworkEndpoint& e : endpoints) {
        list.push_back({{"network", e.network},
                        {"network_id", e.network_id},
                        {"ip", e.ip},
                        {"prefix_length", e.prefix_length},
                        {"gateway", e.gateway},
                        {"mac", e.mac},
                        {"aliases", e.aliases},
                        {"gateway_priority", e.gateway_priority},
                        {"link", e.link},
                        {"options", e.options},
                        {"ip6", e.ip6},
                        {"prefix_length6", e.prefix_length6},
                        {"gateway6", e.gateway6},
                        {"change", kChangeNames[static_cast<size_t>(e.change)]}});
    }
    return list;
}

std::vector<NetworkEndpoint> endpoints_from(const json& list) {
    std::vector<NetworkEndpoint> endpoints;
    for (const json& j : list) {
        NetworkEndpoint e;
        e.network = j.at("network").get<std::string>();
        e.network_id = j.at("network_id").get<std::string>();
        e.ip = j.at("ip").get<std::string>();
        e.prefix_length = j.at("prefix_length").get<int>();
        e.gateway = j.at("gateway").get<std::string>();
        e.mac = j.at("mac").get<std::string>();
        e.aliases = j.at("aliases").get<std::vector<std::string>>();
        e.gateway_priority = j.value("gateway_priority", 0);
        e.link = j.value("link", std::string());
        e.options = j.value("options", std::map<std::string, std::string>());
        e.ip6 = j.value("ip6", std::string());
        e.prefix_length6 = j.value("prefix_length6", 0);
        e.gateway6 = j.value("gateway6", std::string());
        e.change = static_cast<NetworkEndpoint::Change>(index_of(kChangeNames, j.value("change", std::string("none"))));
        endpoints.push_back(std::move(e));
    }
    return endpoints;
}

template <typename Read>
void reading(const std::string& text, Read&& read) {
    try {
        read(json::parse(text));
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("container state: ") + e.what());
    }
}

}  // namespace

std::vector<NetworkAttachment> networks_of(const ContainerSpec& spec) {
    if (!spec.networks.empty()) return spec.networks;
    NetworkAttachment only;
    if (spec.network_mode.starts_with("container:")) return {};
    if (spec.network_mode == "bridge" || spec.network_mode == "default")
        only.network = kDefaultNetwork;
    else
        only.network = spec.network_mode == "host" ? kHostNetwork : kNoNetwork;
    return {only};
}

std::string_view to_string(Status status) {
    return kStatusNames[static_cast<size_t>(status)];
}

std::string_view to_string(Health::Status status) {
    return kHealthNames[static_cast<size_t>(status)];
}

std::string state_to_json(const ContainerRecord& record) {
    const ContainerInfo& info = record.info;
    return text_of({{"status", to_string(info.status)},
                    {"pid", info.pid},
                    {"exit_code", info.exit_code},
                    {"oom_killed", info.oom_killed},
                    {"error", info.error},
                    {"started", number(info.started)},
                    {"finished", number(info.finished)},
                    {"restart_count", info.restart_count},
                    {"stopped_by_hand", info.stopped_by_hand},
                    {"health", health_json(info.health)},
                    {"endpoints", endpoints_json(info.endpoints)},
                    {"ports", info.ports},
                    {"networks", info.networks},
                    {"warnings", info.warnings},
                    {"complete", record.complete},
                    {"starting", record.starting},
                    {"ended", record.ended},
                    {"remove_volumes", record.remove_volumes},
                    {"ports_published", record.ports_published}});
}

void state_from_json(const std::string& text, ContainerRecord* record) {
    reading(text, [&](const json& j) {
        ContainerInfo& info = record->info;
        info.status = static_cast<Status>(index_of(kStatusNames, j.at("status").get<std::string>()));
        j.at("pid").get_to(info.pid);
        j.at("exit_code").get_to(info.exit_code);
        j.at("oom_killed").get_to(info.oom_killed);
        j.at("error").get_to(info.error);
        info.started = time_at(j, "started");
        info.finished = time_at(j, "finished");
        j.at("restart_count").get_to(info.restart_count);
        j.at("stopped_by_hand").get_to(info.stopped_by_hand);
        info.health = health_from(j.at("health"));
        info.endpoints = endpoints_from(j.at("endpoints"));
        j.at("ports").get_to(info.ports);
        info.networks = j.contains("networks") ? j.at("networks").get<std::vector<NetworkAttachment>>()
                                               : networks_of(info.spec);  // of before they could change
        if (j.contains("warnings")) j.at("warnings").get_to(info.warnings);
        j.at("complete").get_to(record->complete);
        j.at("starting").get_to(record->starting);
        j.at("ended").get_to(record->ended);
        j.at("remove_volumes").get_to(record->remove_volumes);
        j.at("ports_published").get_to(record->ports_published);
    });
}

std::string resolved_to_json(const ContainerRecord& record) {
    const ContainerInfo& info = record.info;
    json j = {{"image_id", info.image_id.str()},
              {"created", number(info.created)},
              {"arguments", info.arguments},
              {"environment", info.environment},
              {"working_dir", info.working_dir},
              {"user", info.user},
              {"stop_signal", info.stop_signal},
              {"labels", info.labels},
              {"mounts", info.mounts},
              {"anonymous_volumes", record.anonymous_volumes},
              {"exposed_ports", record.exposed_ports}};
    if (info.healthcheck) j["healthcheck"] = *info.healthcheck;
    return text_of(j);
}

void resolved_from_json(const std::string& text, ContainerRecord* record) {
    reading(text, [&](const json& j) {
        ContainerInfo& info = record->info;
        info.image_id = Digest::parse(j.at("image_id").get<std::string>());
        info.created = time_at(j, "created");
        j.at("arguments").get_to(info.arguments);
        j.at("environment").get_to(info.environment);
        j.at("working_dir").get_to(info.working_dir);
        j.at("user").get_to(info.user);
        j.at("stop_signal").get_to(info.stop_signal);
        j.at("labels").get_to(info.labels);
        j.at("mounts").get_to(info.mounts);
        for (const Mount& mount : info.mounts)
            if (!mount.image_id.empty()) (void)Digest::parse(mount.image_id);
        j.at("anonymous_volumes").get_to(record->anonymous_volumes);
        j.at("exposed_ports").get_to(record->exposed_ports);
        if (j.contains("healthcheck")) info.healthcheck = j.at("healthcheck").get<Healthcheck>();
    });
}

}  // namespace kedge::runtime
