#include "api/docker_json.h"
#include "api/json_body.h"
#include "api/terminal_size.h"
#include "base/error.h"
#include "runtime/containers.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace kedge::api {

using runtime::ContainerSpec;

namespace {

Error invalid(const std::string& message) {
    return Error(Code::invalid_argument, message);
}

void read_network_mode(const std::string& mode, ContainerSpec& spec) {
    if (mode == "host" || mode == "none" || mode.starts_with("container:")) {
        spec.network_mode = mode;
        return;
    }
    runtime::NetworkAttachment attachment;
    attachment.network = mode.empty() || mode == "default" ? "bridge" : mode;
    spec.networks.push_back(attachment);
}

void read_resources(const Fields& host, runtime::Resources& resources) {
    resources.memory = host.number("Memory");
    resources.memory_swap = host.number("MemorySwap");
    resources.memory_reservation = host.number("MemoryReservation");
    resources.nano_cpus = host.number("NanoCpus");
    resources.cpu_period = host.number("CpuPeriod");
    resources.cpu_quota = host.number("CpuQuota");
    resources.cpu_shares = host.number("CpuShares");
    resources.cpuset_cpus = host.text("CpusetCpus");
    resources.cpuset_mems = host.text("CpusetMems");
    resources.pids_limit = std::max<int64_t>(host.number("PidsLimit"), 0);
    resources.blkio_weight = host.number("BlkioWeight");
}

void read_restart(const Fields& from, runtime::RestartPolicy& restart) {
    using Name = runtime::RestartPolicy::Name;
    std::string name = from.text("Name");
    if (name.empty() || name == "no")
        restart.name = Name::no;
    else if (name == "always")
        restart.name = Name::always;
    else if (name == "on-failure")
        restart.name = Name::on_failure;
    else if (name == "unless-stopped")
        restart.name = Name::unless_stopped;
    else
        throw invalid("invalid restart policy: unknown policy '" + name +
                      "'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
    from.refuse_others({"Name", "MaximumRetryCount"});
    int64_t retries = from.number("MaximumRetryCount");
    if (retries < 0 || retries > INT32_MAX)
        throw invalid("invalid restart policy: maximum retry count cannot be negative");
    if (retries > 0 && restart.name != Name::on_failure)
        throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
    restart.maximum_retries = static_cast<int>(retries);
}

void read_devices(const Fields& host, ContainerSpec& spec) {
    for (const Fields& device : host.objects("Devices")) {
        runtime::Device made{device.text("PathOnHost"), device.text("PathInContainer"),
                             device.text("CgroupPermissions")};
        if (made.container_path.empty()) made.container_path = made.host_path;
        if (made.permissions.empty()) made.permissions = "rwm";
        spec.devices.push_back(made);
    }
}

std::vector<runtime::DeviceLimit> read_device_limits(const Fields& host, const char* key, const char* value) {
    std::vector<runtime::DeviceLimit> limits;
    for (const Fields& limit : host.objects(key)) {
        limits.push_back({limit.text("Path"), limit.number(value)});
        limit.refuse_others({"Path", value});
    }
    return limits;
}

void read_fixed_limits(const Fields& host, runtime::FixedLimits& limits) {
    limits.weights = read_device_limits(host, "BlkioWeightDevice", "Weight");
    limits.read_bytes = read_device_limits(host, "BlkioDeviceReadBps", "Rate");
    limits.write_bytes = read_device_limits(host, "BlkioDeviceWriteBps", "Rate");
    limits.read_operations = read_device_limits(host, "BlkioDeviceReadIOps", "Rate");
    limits.write_operations = read_device_limits(host, "BlkioDeviceWriteIOps", "Rate");
    if (host.has("MemorySwappiness")) limits.swappiness = host.number("MemorySwappiness");
    limits.oom_kill_disable = host.flag("OomKillDisable");
}

/// The namespaces, as the engine writes what everybody has: empty.
void read_namespaces(const Fields& host, ContainerSpec& spec) {
    spec.pid_mode = host.text("PidMode");
    spec.ipc_mode = host.text("IpcMode");
    spec.uts_mode = host.text("UTSMode");
    spec.cgroup_namespace = host.text("CgroupnsMode");
    for (std::string* mode : {&spec.ipc_mode, &spec.cgroup_namespace}) {
        if (*mode == "private") mode->clear();
    }
    spec.cgroup_parent = host.text("CgroupParent");
    const std::string users = host.text("UsernsMode");
    if (!users.empty() && users != "host") throw invalid("invalid user namespace mode: " + users);
}

/// What Docker's daemon has not on a machine like this, in its words.
void refuse_what_is_nowhere(const Fields& host) {
    if (std::vector<Fields> requests = host.objects("DeviceRequests"); !requests.empty()) {
        std::string wanted;
        if (const nlohmann::json* sets = requests.front().find("Capabilities"); sets && sets->is_array()) {
            for (const nlohmann::json& set : *sets) {
                std::string words;
                for (const nlohmann::json& word : set) {
                    if (word.is_string()) words += (words.empty() ? "" : " ") + word.get<std::string>();
                }
                wanted += (wanted.empty() ? "[" : " [") + words + "]";
            }
        }
        throw invalid("could not select device driver \"" + requests.front().text("Driver") +
                      "\" with capabilities: [" + wanted + "]");
    }
    if (!host.text_map("StorageOpt").empty())
        throw invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
    if (!host.texts("Links").empty()) {
        throw Error(Code::invalid_argument, "links are not supported by kedge",
                    "containers of a user-defined network find each other by name");
    }
    if (std::string runtime = host.text("Runtime"); !runtime.empty() && runtime != "kedge")
        throw invalid("unknown or invalid runtime name: " + runtime);
    if (std::string driver = host.text("VolumeDriver"); !driver.empty() && driver != "local")
        throw invalid("error looking up volume plugin " + driver + ": plugin \"" + driver + "\" not found");
}

/// Modes that kedge has only one of, by the names of that one.
void expect_only(const Fields& host, const char* key, const std::set<std::string>& names) {
    std::string value = host.text(key);
    if (value.empty() || names.contains(value)) return;
    throw invalid(host.path_of(key) + ": \"" + value + "\" is not supported by kedge");
}

void refuse_the_rest(const Fields& host) {
    expect_only(host, "Isolation", {"default"});
    host.refuse_others({"Binds", "Mounts", "Tmpfs", "NetworkMode", "PortBindings", "RestartPolicy", "AutoRemove",
                        "PublishAllPorts", "Init", "ReadonlyRootfs", "Privileged", "CapAdd", "CapDrop", "SecurityOpt",
                        "GroupAdd", "ExtraHosts", "Dns", "DnsSearch", "Sysctls", "PidMode", "IpcMode", "ShmSize",
                        "OomScoreAdj", "Devices", "Ulimits", "LogConfig", "Memory", "MemorySwap", "MemoryReservation",
                        "NanoCpus", "CpuShares", "CpusetCpus", "CpusetMems", "PidsLimit", "CpuQuota", "CpuPeriod",
                        "BlkioWeight", "CgroupnsMode", "UsernsMode", "Isolation", "Runtime", "VolumeDriver",
                        "ConsoleSize", "VolumesFrom", "UTSMode", "CgroupParent", "DnsOptions", "Annotations",
                        "DeviceCgroupRules", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
                        "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "MemorySwappiness", "OomKillDisable",
                        "DeviceRequests", "StorageOpt", "Links", "MaskedPaths", "ReadonlyPaths",
                        // of the client's files
                        "ContainerIDFile"});
}

}  // namespace

runtime::ContainerUpdate container_update(const Fields& body) {
    runtime::ContainerUpdate update;
    read_resources(body, update.resources);
    if (body.has("PidsLimit")) update.pids_limit = body.number("PidsLimit");
    Fields restart = body.object("RestartPolicy");
    if (!restart.text("Name").empty() || restart.number("MaximumRetryCount") != 0)
        read_restart(restart, update.restart.emplace());
    body.refuse_others({"Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuPeriod", "CpuQuota", "CpuShares",
                        "CpusetCpus", "CpusetMems", "PidsLimit", "BlkioWeight", "RestartPolicy"});
    return update;
}

void read_host_config(const Fields& host, ContainerSpec& spec) {
    for (const std::string& bind : host.texts("Binds")) read_bind(bind, spec);
    for (const Fields& mount : host.objects("Mounts")) read_mount(mount, spec);
    for (const auto& [target, options] : host.text_map("Tmpfs")) read_tmpfs(target, options, spec);
    read_network_mode(host.text("NetworkMode"), spec);
    read_resources(host, spec.resources);
    read_restart(host.object("RestartPolicy"), spec.restart);
    auto [rows, columns] = read_console_size(host);
    if (spec.tty) std::tie(spec.terminal_rows, spec.terminal_columns) = std::tie(rows, columns);
    spec.auto_remove = host.flag("AutoRemove");
    spec.publish_all = host.flag("PublishAllPorts");
    spec.init = host.flag("Init");
    spec.read_only = host.flag("ReadonlyRootfs");
    spec.privileged = host.flag("Privileged");
    spec.cap_add = host.texts("CapAdd");
    spec.cap_drop = host.texts("CapDrop");
    spec.security_opt = host.texts("SecurityOpt");
    // An empty list is not the default: it covers nothing.
    spec.masked_paths = host.texts_if_any("MaskedPaths");
    spec.readonly_paths = host.texts_if_any("ReadonlyPaths");
    spec.group_add = host.texts("GroupAdd");
    spec.extra_hosts = host.texts("ExtraHosts");
    spec.dns = host.texts("Dns");
    spec.dns_search = host.texts("DnsSearch");
    spec.sysctls = host.text_map("Sysctls");
    spec.dns_options = host.texts("DnsOptions");
    spec.volumes_from = host.texts("VolumesFrom");
    spec.annotations = host.text_map("Annotations");
    spec.device_rules = host.texts("DeviceCgroupRules");
    read_namespaces(host, spec);
    read_fixed_limits(host, spec.fixed_limits);
    refuse_what_is_nowhere(host);
    spec.shm_size = host.number("ShmSize");
    spec.oom_score_adj = static_cast<int>(
        std::clamp<int64_t>(host.number("OomScoreAdj"), INT32_MIN, INT32_MAX));  // the engine refuses most
    read_devices(host, spec);
    for (const Fields& limit : host.objects("Ulimits")) {
        spec.ulimits.push_back({limit.text("Name"), limit.number("Soft"), limit.number("Hard")});
    }
    Fields log = host.object("LogConfig");
    if (std::string driver = log.text("Type"); !driver.empty()) spec.log.driver = driver;
    spec.log.options = log.text_map("Config");
    log.refuse_others({"Type", "Config"});
    refuse_the_rest(host);
}

}  // namespace kedge::api
