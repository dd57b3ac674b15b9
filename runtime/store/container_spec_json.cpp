#include "runtime/store/container_spec_json.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace kedge::runtime {

using nlohmann::json;

namespace {

template <typename T>
void put(json& j, const char* key, const std::optional<T>& value) {
    if (value) j[key] = *value;
}

template <typename T>
void take(const json& j, const char* key, T& value) {
    if (auto found = j.find(key); found != j.end()) found->get_to(value);
}

template <typename T>
void take(const json& j, const char* key, std::optional<T>& value) {
    if (auto found = j.find(key); found != j.end()) value = found->template get<T>();
}

void take(const json& j, const char* key, Nanoseconds& value) {
    if (auto found = j.find(key); found != j.end()) value = Nanoseconds(found->get<int64_t>());
}

}  // namespace

NLOHMANN_JSON_SERIALIZE_ENUM(Protocol, {{Protocol::tcp, "tcp"}, {Protocol::udp, "udp"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Mount::Type, {{Mount::Type::bind, "bind"},
                                           {Mount::Type::volume, "volume"},
                                           {Mount::Type::tmpfs, "tmpfs"},
                                           {Mount::Type::image, "image"}})
NLOHMANN_JSON_SERIALIZE_ENUM(RestartPolicy::Name, {{RestartPolicy::Name::no, "no"},
                                                   {RestartPolicy::Name::always, "always"},
                                                   {RestartPolicy::Name::on_failure, "on-failure"},
                                                   {RestartPolicy::Name::unless_stopped, "unless-stopped"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RestartPolicy, name, maximum_retries)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Resources, memory, memory_swap, memory_reservation, nano_cpus,
                                                cpu_period, cpu_quota, cpu_shares, cpuset_cpus, cpuset_mems, pids_limit,
                                                blkio_weight)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(DeviceLimit, path, value)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(FixedLimits, weights, read_bytes, write_bytes, read_operations,
                                                write_operations, swappiness, oom_kill_disable)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Device, host_path, container_path, permissions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Ulimit, name, soft, hard)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(LogConfig, driver, options)

void to_json(json& j, const PortBinding& v) {
    j = {{"host_ip", v.host_ip},
         {"host_port", v.host_port},
         {"container_port", v.container_port},
         {"protocol", v.protocol}};
}

void from_json(const json& j, PortBinding& v) {
    take(j, "host_ip", v.host_ip);
    take(j, "host_port", v.host_port);
    take(j, "container_port", v.container_port);
    take(j, "protocol", v.protocol);
}

/// What stands where no mode was given.
constexpr uint32_t kUsualMode = 01777;

void to_json(json& j, const Mount& v) {
    j = {{"type", v.type},
         {"source", v.source},
         {"target", v.target},
         {"read_only", v.read_only},
         {"no_copy", v.no_copy},
         {"create_host_path", v.create_host_path},
         {"confined_to", v.confined_to},
         {"propagation", v.propagation},
         {"tmpfs_size", v.tmpfs_size},
         {"tmpfs_mode", v.tmpfs_mode.value_or(kUsualMode)},
         {"non_recursive", v.non_recursive},
         {"read_only_top", v.read_only_top},
         {"subpath", v.subpath},
         {"volume_labels", v.volume_labels},
         {"tmpfs_options", v.tmpfs_options}};
    // Newer than the others: what doesn't ask for them has the text that it had.
    if (!v.volume_options.empty()) j["volume_options"] = v.volume_options;
    if (!v.image_id.empty()) j["image_id"] = v.image_id;
    if (v.tmpfs_mode == kUsualMode) j["tmpfs_mode_given"] = true;
}

void from_json(const json& j, Mount& v) {
    take(j, "type", v.type);
    take(j, "source", v.source);
    take(j, "target", v.target);
    take(j, "read_only", v.read_only);
    take(j, "no_copy", v.no_copy);
    take(j, "create_host_path", v.create_host_path);
    take(j, "confined_to", v.confined_to);
    take(j, "propagation", v.propagation);
    take(j, "tmpfs_size", v.tmpfs_size);
    take(j, "tmpfs_mode", v.tmpfs_mode);
    if (v.tmpfs_mode == kUsualMode && !j.contains("tmpfs_mode_given")) v.tmpfs_mode.reset();
    take(j, "non_recursive", v.non_recursive);
    take(j, "read_only_top", v.read_only_top);
    take(j, "subpath", v.subpath);
    take(j, "volume_labels", v.volume_labels);
    take(j, "tmpfs_options", v.tmpfs_options);
    take(j, "volume_options", v.volume_options);
    take(j, "image_id", v.image_id);
}

void to_json(json& j, const Healthcheck& v) {
    j = {{"test", v.test},
         {"interval", v.interval.count()},
         {"timeout", v.timeout.count()},
         {"start_period", v.start_period.count()},
         {"start_interval", v.start_interval.count()},
         {"retries", v.retries}};
}

void from_json(const json& j, Healthcheck& v) {
    take(j, "test", v.test);
    take(j, "interval", v.interval);
    take(j, "timeout", v.timeout);
    take(j, "start_period", v.start_period);
    take(j, "start_interval", v.start_interval);
    take(j, "retries", v.retries);
}

void to_json(json& j, const NetworkAttachment& v) {
    j = {{"network", v.network}, {"aliases", v.aliases}, {"ip", v.ip}, {"gateway_priority", v.gateway_priority},
         {"mac", v.mac},         {"options", v.options}};
    if (!v.ip6.empty()) j["ip6"] = v.ip6;
}

void from_json(const json& j, NetworkAttachment& v) {
    take(j, "network", v.network);
    take(j, "aliases", v.aliases);
    take(j, "ip", v.ip);
    take(j, "gateway_priority", v.gateway_priority);
    take(j, "mac", v.mac);
    take(j, "options", v.options);
    take(j, "ip6", v.ip6);
}

// One list of the fields for both directions.
template <typename Visit, typename Spec>
static void visit_fields(Spec& v, Visit&& visit) {
    visit("name", v.name);
    visit("image", v.image);
    visit("image_name", v.image_name);
    visit("entrypoint", v.entrypoint);
    visit("command", v.command);
    visit("environment", v.environment);
    visit("labels", v.labels);
    visit("user", v.user);
    visit("group_add", v.group_add);
    visit("working_dir", v.working_dir);
    visit("hostname", v.hostname);
    visit("domainname", v.domainname);
    visit("stop_signal", v.stop_signal);
    visit("stop_timeout", v.stop_timeout);
    visit("tty", v.tty);
    visit("open_stdin", v.open_stdin);
    visit("stdin_once", v.stdin_once);
    visit("terminal_rows", v.terminal_rows);
    visit("terminal_columns", v.terminal_columns);
    visit("init", v.init);
    visit("read_only", v.read_only);
    visit("privileged", v.privileged);
    visit("auto_remove", v.auto_remove);
    visit("publish_all", v.publish_all);
    visit("cap_add", v.cap_add);
    visit("cap_drop", v.cap_drop);
    visit("security_opt", v.security_opt);
    visit("masked_paths", v.masked_paths);
    visit("readonly_paths", v.readonly_paths);
    visit("devices", v.devices);
    visit("device_rules", v.device_rules);
    visit("ulimits", v.ulimits);
    visit("sysctls", v.sysctls);
    visit("extra_hosts", v.extra_hosts);
    visit("dns", v.dns);
    visit("dns_search", v.dns_search);
    visit("dns_options", v.dns_options);
    visit("mounts", v.mounts);
    visit("volumes_from", v.volumes_from);
    visit("ports", v.ports);
    visit("network_mode", v.network_mode);
    visit("networks", v.networks);
    visit("pid_mode", v.pid_mode);
    visit("ipc_mode", v.ipc_mode);
    visit("uts_mode", v.uts_mode);
    visit("cgroup_namespace", v.cgroup_namespace);
    visit("cgroup_parent", v.cgroup_parent);
    visit("shm_size", v.shm_size);
    visit("oom_score_adj", v.oom_score_adj);
    visit("restart", v.restart);
    visit("healthcheck", v.healthcheck);
    visit("resources", v.resources);
    visit("fixed_limits", v.fixed_limits);
    visit("log", v.log);
    visit("annotations", v.annotations);
}

void to_json(json& j, const ContainerSpec& v) {
    j = json::object();
    visit_fields(v, [&]<typename T>(const char* key, const T& field) {
        if constexpr (requires { field.has_value(); }) {
            put(j, key, field);
        } else {
            j[key] = field;
        }
    });
}

void from_json(const json& j, ContainerSpec& v) {
    visit_fields(v, [&](const char* key, auto& field) { take(j, key, field); });
}

std::string to_json_text(const ContainerSpec& spec) {
    return json(spec).dump(-1, ' ', false, json::error_handler_t::replace);
}

ContainerSpec container_spec_from_json(const std::string& text) {
    try {
        json parsed = json::parse(text);
        if (!parsed.is_object()) throw Error(Code::invalid_argument, "container spec: not an object");
        return parsed.get<ContainerSpec>();
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("container spec: ") + e.what());
    }
}

}  // namespace kedge::runtime
