#include "api/docker_json.h"
#include "runtime/containers.h"
#include "runtime/system_paths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace kedge::api {

using nlohmann::json;
using runtime::ContainerInfo;
using runtime::ContainerSpec;

namespace {

std::string port_key(const runtime::PortBinding& port) {
    return fmt::format("{}/{}", port.container_port, port.protocol == runtime::Protocol::tcp ? "tcp" : "udp");
}

json bindings_json(const std::vector<runtime::PortBinding>& ports, bool chosen) {
    json bindings = json::object();
    for (const runtime::PortBinding& port : ports) {
        std::string host_port = port.host_port == 0 ? "" : std::to_string(port.host_port);
        std::string host_ip = port.host_ip.empty() && chosen ? "0.0.0.0" : port.host_ip;
        bindings[port_key(port)].push_back({{"HostIp", host_ip}, {"HostPort", host_port}});
    }
    return bindings;
}

std::string restart_name(runtime::RestartPolicy::Name name) {
    switch (name) {
        case runtime::RestartPolicy::Name::no: return "no";
        case runtime::RestartPolicy::Name::always: return "always";
        case runtime::RestartPolicy::Name::on_failure: return "on-failure";
        case runtime::RestartPolicy::Name::unless_stopped: return "unless-stopped";
    }
    return "no";
}

std::string tmpfs_text(const runtime::Mount& mount) {
    std::vector<std::string> options = mount.tmpfs_options;
    if (mount.tmpfs_size > 0) options.insert(options.begin(), fmt::format("size={}", mount.tmpfs_size));
    if (mount.tmpfs_mode) options.push_back(fmt::format("mode={:o}", *mount.tmpfs_mode));
    if (mount.read_only) options.emplace_back("ro");
    return fmt::format("{}", fmt::join(options, ","));
}

/// What -v has no word for.
bool has_options(const runtime::Mount& mount) {
    return mount.non_recursive || mount.read_only_top || !mount.subpath.empty() || !mount.volume_labels.empty() ||
           !mount.volume_options.empty() || mount.type == runtime::Mount::Type::image;
}

json mount_json(const runtime::Mount& mount) {
    using Type = runtime::Mount::Type;
    const bool image = mount.type == Type::image;
    json result = {{"Type", mount.type == Type::bind ? "bind"
                            : image                  ? "image"
                                                     : "volume"},
                   {"Source", mount.source},
                   {"Target", mount.target}};
    if (mount.read_only) result["ReadOnly"] = true;
    if (mount.non_recursive) result["BindOptions"]["NonRecursive"] = true;
    if (mount.read_only_top) result["BindOptions"]["ReadOnlyNonRecursive"] = true;
    if (!mount.subpath.empty()) result[image ? "ImageOptions" : "VolumeOptions"]["Subpath"] = mount.subpath;
    if (!mount.volume_options.empty()) result["VolumeOptions"]["DriverConfig"]["Options"] = mount.volume_options;
    if (!mount.volume_labels.empty()) result["VolumeOptions"]["Labels"] = mount.volume_labels;
    return result;
}

/// Binds and named volumes as -v writes them, the rest as Mounts; so that either list can be sent back to make the same
/// container.
void put_mounts(const ContainerSpec& spec, json& host) {
    json binds = json::array(), mounts = json::array(), tmpfs = json::object();
    for (const runtime::Mount& mount : spec.mounts) {
        if (mount.type == runtime::Mount::Type::tmpfs) {
            tmpfs[mount.target] = tmpfs_text(mount);
        } else if (!mount.source.empty() && mount.source.find(':') == std::string::npos && !has_options(mount)) {
            binds.push_back(mount.source + ":" + mount.target + (mount.read_only ? ":ro" : ""));
        } else {
            mounts.push_back(mount_json(mount));
        }
    }
    host["Binds"] = binds.empty() ? json(nullptr) : binds;
    if (!mounts.empty()) host["Mounts"] = mounts;
    if (!tmpfs.empty()) host["Tmpfs"] = tmpfs;
}

json list_or_null(const std::vector<std::string>& list) {
    return list.empty() ? json(nullptr) : json(list);
}

/// Capabilities by the names that Docker gives them back with: `CAP_NET_ADMIN`, `ALL`.
json capability_list(const std::vector<std::string>& names) {
    json list = json::array();
    for (std::string name : names) {
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        bool whole = name == "ALL" || name.starts_with("CAP_");
        list.push_back(whole ? name : "CAP_" + name);
    }
    return list.empty() ? json(nullptr) : list;
}

json health_json(const runtime::Health& health) {
    json log = json::array();
    for (const runtime::ProbeResult& probe : health.log) {
        log.push_back({{"Start", format_time(probe.start)},
                       {"End", format_time(probe.end)},
                       {"ExitCode", probe.exit_code},
                       {"Output", probe.output}});
    }
    return {{"Status", runtime::to_string(health.status)}, {"FailingStreak", health.failing_streak}, {"Log", log}};
}

json state_json(const ContainerInfo& info) {
    using runtime::Status;
    json state = {{"Status", runtime::to_string(info.status)},
                  {"Running", info.status == Status::running || info.status == Status::paused ||
                                  info.status == Status::restarting},
                  {"Paused", info.status == Status::paused},
                  {"Restarting", info.status == Status::restarting},
                  {"OOMKilled", info.oom_killed},
                  {"Dead", info.status == Status::dead},
                  {"Pid", info.pid},
                  {"ExitCode", info.exit_code},
                  {"Error", info.error},
                  {"StartedAt", format_time(info.started)},
                  {"FinishedAt", format_time(info.finished)}};
    if (info.health.status != runtime::Health::Status::none) state["Health"] = health_json(info.health);
    return state;
}

json config_json(const ContainerInfo& info) {
    const ContainerSpec& spec = info.spec;
    json exposed = json::object();
    for (const runtime::PortBinding& port : spec.ports) exposed[port_key(port)] = json::object();
    json config = {{"Hostname", spec.hostname.empty() ? info.id.substr(0, 12) : spec.hostname},
                   {"Domainname", spec.domainname},
                   {"User", info.user},
                   {"AttachStdin", false},
                   {"AttachStdout", false},
                   {"AttachStderr", false},
                   {"Tty", spec.tty},
                   {"OpenStdin", spec.open_stdin},
                   {"StdinOnce", spec.stdin_once},
                   {"Env", info.environment},
                   {"Cmd", spec.command ? json(*spec.command) : json(nullptr)},
                   {"Image", spec.image_name.empty() ? spec.image : spec.image_name},
                   {"Volumes", nullptr},
                   {"WorkingDir", info.working_dir},
                   {"Entrypoint", spec.entrypoint ? json(*spec.entrypoint) : json(nullptr)},
                   {"OnBuild", nullptr},
                   {"Labels", info.labels}};
    if (!spec.entrypoint && !spec.command) config["Cmd"] = info.arguments;  // what the image's came to
    if (!exposed.empty()) config["ExposedPorts"] = exposed;
    if (!info.stop_signal.empty()) config["StopSignal"] = info.stop_signal;
    if (spec.stop_timeout) config["StopTimeout"] = *spec.stop_timeout;
    // What was asked for of the first network, where clients from before API 1.44 look for it.
    if (!info.networks.empty() && !info.networks.front().mac.empty()) config["MacAddress"] = info.networks.front().mac;
    if (info.healthcheck) config["Healthcheck"] = healthcheck_json(*info.healthcheck);
    return config;
}

json network_settings(const ContainerInfo& info) {
    json settings = {{"Bridge", ""},
                     {"SandboxID", info.pid > 0 ? info.id : ""},
                     {"SandboxKey", info.pid > 0 ? fmt::format("/proc/{}/ns/net", info.pid) : ""},
                     {"Ports", bindings_json(info.ports, true)},
                     {"HairpinMode", false},
                     {"LinkLocalIPv6Address", ""},
                     {"LinkLocalIPv6PrefixLen", 0},
                     {"SecondaryIPAddresses", nullptr},
                     {"SecondaryIPv6Addresses", nullptr},
                     {"Networks", endpoints_json(info)}};
    // From times when there was one network: what the default one is.
    const json none = {{"EndpointID", ""}, {"Gateway", ""},    {"GlobalIPv6Address", ""}, {"GlobalIPv6PrefixLen", 0},
                       {"IPAddress", ""},  {"IPPrefixLen", 0}, {"IPv6Gateway", ""},       {"MacAddress", ""}};
    const json bridge = settings["Networks"].value("bridge", none);
    for (const auto& [key, empty] : none.items()) settings[key] = bridge.value(key, empty);
    return settings;
}

}  // namespace

json healthcheck_json(const runtime::Healthcheck& check) {
    json result = json::object();
    if (!check.test.empty()) result["Test"] = check.test;
    const std::pair<const char*, int64_t> numbers[] = {{"Interval", check.interval.count()},
                                                       {"Timeout", check.timeout.count()},
                                                       {"StartPeriod", check.start_period.count()},
                                                       {"StartInterval", check.start_interval.count()},
                                                       {"Retries", check.retries}};
    for (const auto& [name, value] : numbers) {
        if (value != 0) result[name] = value;
    }
    return result;
}

namespace {

json device_limits(const std::vector<runtime::DeviceLimit>& limits, const char* value) {
    json list = json::array();
    for (const runtime::DeviceLimit& limit : limits) list.push_back({{"Path", limit.path}, {value, limit.value}});
    return list;
}

void put_fixed_limits(const runtime::FixedLimits& limits, json& host) {
    host.update({{"BlkioWeightDevice", device_limits(limits.weights, "Weight")},
                 {"BlkioDeviceReadBps", device_limits(limits.read_bytes, "Rate")},
                 {"BlkioDeviceWriteBps", device_limits(limits.write_bytes, "Rate")},
                 {"BlkioDeviceReadIOps", device_limits(limits.read_operations, "Rate")},
                 {"BlkioDeviceWriteIOps", device_limits(limits.write_operations, "Rate")},
                 {"MemorySwappiness", limits.swappiness < 0 ? json(nullptr) : json(limits.swappiness)},
                 {"OomKillDisable", limits.oom_kill_disable}});
}

}  // namespace

namespace {

/// Members that readers of Docker's answers expect to be there, of what kedge hasn't.
void put_absent(json& host) {
    host.update({{"Cgroup", ""},
                 {"ConsoleSize", {0U, 0U}},
                 {"CpuCount", 0},
                 {"CpuPercent", 0},
                 {"CpuRealtimePeriod", 0},
                 {"CpuRealtimeRuntime", 0},
                 {"DeviceRequests", nullptr},
                 {"IOMaximumBandwidth", 0},
                 {"IOMaximumIOps", 0},
                 {"Isolation", ""},
                 {"Links", nullptr},
                 {"VolumeDriver", ""}});
}

}  // namespace

json host_config_json(const ContainerSpec& spec) {
    json devices = json::array(), ulimits = json::array();
    for (const runtime::Device& device : spec.devices) {
        devices.push_back({{"PathOnHost", device.host_path},
                           {"PathInContainer", device.container_path},
                           {"CgroupPermissions", device.permissions}});
    }
    for (const runtime::Ulimit& limit : spec.ulimits) {
        ulimits.push_back({{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
    }
    std::string mode = !spec.network_mode.empty() ? spec.network_mode
                       : spec.networks.empty()    ? "none"
                                                  : spec.networks.front().network;
    const runtime::Resources& r = spec.resources;
    json host = {{"ContainerIDFile", ""},
                 {"LogConfig", {{"Type", spec.log.driver}, {"Config", spec.log.options}}},
                 {"NetworkMode", mode},
                 {"PortBindings", bindings_json(spec.ports, false)},
                 {"RestartPolicy",
                  {{"Name", restart_name(spec.restart.name)}, {"MaximumRetryCount", spec.restart.maximum_retries}}},
                 {"AutoRemove", spec.auto_remove},
                 {"CapAdd", capability_list(spec.cap_add)},
                 {"CapDrop", capability_list(spec.cap_drop)},
                 {"CgroupnsMode", spec.cgroup_namespace.empty() ? "private" : spec.cgroup_namespace},
                 {"CgroupParent", spec.cgroup_parent},
                 {"Dns", spec.dns},
                 {"DnsOptions", spec.dns_options},
                 {"DnsSearch", spec.dns_search},
                 {"ExtraHosts", list_or_null(spec.extra_hosts)},
                 {"GroupAdd", list_or_null(spec.group_add)},
                 {"IpcMode", spec.ipc_mode.empty() ? "private" : spec.ipc_mode},
                 {"PidMode", spec.pid_mode},
                 {"UTSMode", spec.uts_mode},
                 {"UsernsMode", ""},
                 {"VolumesFrom", list_or_null(spec.volumes_from)},
                 {"DeviceCgroupRules", list_or_null(spec.device_rules)},
                 {"OomScoreAdj", spec.oom_score_adj},
                 {"Privileged", spec.privileged},
                 {"PublishAllPorts", spec.publish_all},
                 {"ReadonlyRootfs", spec.read_only},
                 {"SecurityOpt", list_or_null(spec.security_opt)},
                 {"ShmSize", spec.shm_size == 0 ? int64_t{64} << 20 : spec.shm_size},
                 {"Runtime", "kedge"},
                 {"Devices", devices},
                 {"Ulimits", ulimits},
                 {"Memory", r.memory},
                 {"MemorySwap", r.memory > 0 && r.memory_swap == 0 ? 2 * r.memory : r.memory_swap},
                 {"MemoryReservation", r.memory_reservation},
                 {"NanoCpus", r.nano_cpus},
                 {"CpuPeriod", r.cpu_period},
                 {"CpuQuota", r.cpu_quota},
                 {"CpuShares", r.cpu_shares},
                 {"CpusetCpus", r.cpuset_cpus},
                 {"CpusetMems", r.cpuset_mems},
                 {"BlkioWeight", r.blkio_weight},
                 {"PidsLimit", r.pids_limit == 0 ? json(nullptr) : json(r.pids_limit)}};
    // null: what is privileged has no list of its own.
    host["MaskedPaths"] = spec.privileged && !spec.masked_paths ? json(nullptr) : json(masked_paths(spec));
    host["ReadonlyPaths"] = spec.privileged && !spec.readonly_paths ? json(nullptr) : json(readonly_paths(spec));
    put_mounts(spec, host);
    put_fixed_limits(spec.fixed_limits, host);
    if (spec.init) host["Init"] = true;
    if (!spec.sysctls.empty()) host["Sysctls"] = spec.sysctls;
    put_absent(host);
    if (!spec.annotations.empty()) host["Annotations"] = spec.annotations;
    return host;
}

json container_inspection(const ContainerInfo& info) {
    std::vector<std::string> rest;
    if (info.arguments.size() > 1) rest.assign(info.arguments.begin() + 1, info.arguments.end());
    return {{"Id", info.id},
            {"Created", format_time(info.created)},
            {"Path", info.arguments.empty() ? "" : info.arguments.front()},
            {"Args", rest},
            {"State", state_json(info)},
            {"Image", info.image_id.str()},
            {"LogPath", info.log_path},
            {"Name", "/" + info.name},
            {"RestartCount", info.restart_count},
            {"Driver", "overlay2"},
            {"Platform", "linux"},
            {"MountLabel", ""},
            {"ProcessLabel", ""},
            {"AppArmorProfile", ""},
            {"ExecIDs", nullptr},
            {"HostConfig", host_config_json(info.spec)},
            {"Mounts", mounts_json(info)},
            {"Config", config_json(info)},
            {"NetworkSettings", network_settings(info)},
            {"Warnings", info.warnings}};
}

}  // namespace kedge::api
