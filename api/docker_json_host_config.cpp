#include "api/docker_json.h"
#include "api/json_body.h"
#include "api/terminal_size.h"
#include "base/error.h"
#include "base/size.h"
#include "base/text.h"
#include "runtime/containers.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <tuple>

namespace kedge::api {

using runtime::ContainerSpec;
using runtime::Mount;

namespace {

Error invalid(const std::string& message) {
    return Error(Code::invalid_argument, message);
}

void read_tmpfs(const std::string& target, const std::string& options, ContainerSpec& spec) {
    Mount mount;
    mount.type = Mount::Type::tmpfs;
    mount.target = target;
    for (const std::string& option : split(options, ',')) {
        if (option.starts_with("size=")) {
            std::optional<int64_t> size = parse_size(std::string_view(option).substr(5));
            if (!size) throw invalid("HostConfig.Tmpfs." + target + ": \"" + option.substr(5) + "\" is not a size");
            mount.tmpfs_size = *size;
        } else if (option.starts_with("mode=")) {
            auto [end, failure] =
                std::from_chars(option.data() + 5, option.data() + option.size(), mount.tmpfs_mode, 8);
            if (failure != std::errc() || end != option.data() + option.size()) {
                throw invalid("HostConfig.Tmpfs." + target + ": \"" + option + "\" is not an octal mode");
            }
        } else if (option == "ro") {
            mount.read_only = true;
        } else if (option != "rw" && option != "nosuid" && option != "nodev" && option != "noexec" && !option.empty()) {
            throw invalid("HostConfig.Tmpfs." + target + ": the option \"" + option + "\" is not supported by kedge");
        }
    }
    spec.mounts.push_back(mount);
}

void read_mount(const Fields& from, ContainerSpec& spec) {
    Mount mount;
    std::string type = from.text("Type");
    if (type == "bind")
        mount.type = Mount::Type::bind;
    else if (type == "volume")
        mount.type = Mount::Type::volume;
    else if (type == "tmpfs")
        mount.type = Mount::Type::tmpfs;
    else
        throw invalid(from.path_of("Type") + ": \"" + type + "\" must be bind, volume or tmpfs");
    mount.source = from.text("Source");
    mount.target = from.text("Target");
    mount.read_only = from.flag("ReadOnly");
    mount.propagation = from.object("BindOptions").text("Propagation");
    mount.create_host_path = from.object("BindOptions").flag("CreateMountpoint");
    mount.no_copy = from.object("VolumeOptions").flag("NoCopy");
    mount.tmpfs_size = from.object("TmpfsOptions").number("SizeBytes");
    int64_t mode = from.object("TmpfsOptions").number("Mode");
    if (mode < 0 || mode > 07777) throw invalid(from.path_of("TmpfsOptions.Mode") + ": must be at most 07777");
    if (mode > 0) mount.tmpfs_mode = static_cast<uint32_t>(mode);
    Fields driver = from.object("VolumeOptions").object("DriverConfig");
    if (!driver.text("Name").empty() && driver.text("Name") != "local")
        throw invalid(driver.path_of("Name") + ": must be local");
    driver.refuse_others({"Name"});
    from.refuse_others(
        {"Type", "Source", "Target", "ReadOnly", "BindOptions", "VolumeOptions", "TmpfsOptions", "Consistency"});
    from.object("BindOptions").refuse_others({"Propagation", "CreateMountpoint"});
    from.object("VolumeOptions").refuse_others({"NoCopy", "DriverConfig"});
    from.object("TmpfsOptions").refuse_others({"SizeBytes", "Mode"});
    spec.mounts.push_back(mount);
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
        throw invalid("invalid restart policy '" + name + "'");
    from.refuse_others({"Name", "MaximumRetryCount"});
    int64_t retries = from.number("MaximumRetryCount");
    if (retries < 0 || retries > INT32_MAX) throw invalid("maximum retry count cannot be negative");
    if (retries > 0 && restart.name != Name::on_failure) {
        throw invalid("maximum retry count cannot be used with restart policy '" + name + "'");
    }
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

/// Modes that kedge has only one of, by the names of that one.
void expect_only(const Fields& host, const char* key, const std::set<std::string>& names) {
    std::string value = host.text(key);
    if (value.empty() || names.contains(value)) return;
    throw invalid(host.path_of(key) + ": \"" + value + "\" is not supported by kedge");
}

void refuse_the_rest(const Fields& host) {
    expect_only(host, "CgroupnsMode", {"private"});
    expect_only(host, "UsernsMode", {"host"});
    expect_only(host, "Isolation", {"default"});
    expect_only(host, "Runtime", {"kedge"});
    expect_only(host, "VolumeDriver", {"local"});
    for (const char* key :
         {"MaskedPaths", "ReadonlyPaths"}) {  // here an empty list is not the default: it masks nothing
        if (host.has(key)) throw invalid(host.path_of(key) + ": is not supported by kedge");
    }
    host.refuse_others({"Binds", "Mounts", "Tmpfs", "NetworkMode", "PortBindings", "RestartPolicy", "AutoRemove",
                        "PublishAllPorts", "Init", "ReadonlyRootfs", "Privileged", "CapAdd", "CapDrop", "SecurityOpt",
                        "GroupAdd", "ExtraHosts", "Dns", "DnsSearch", "Sysctls", "PidMode", "IpcMode", "ShmSize",
                        "OomScoreAdj", "Devices", "Ulimits", "LogConfig", "Memory", "MemorySwap", "MemoryReservation",
                        "NanoCpus", "CpuShares", "CpusetCpus", "CpusetMems", "PidsLimit", "CpuQuota", "CpuPeriod",
                        "BlkioWeight", "CgroupnsMode", "UsernsMode", "Isolation", "Runtime", "VolumeDriver",
                        "ConsoleSize",
                        // of the client's files
                        "ContainerIDFile"});
}

}  // namespace

void read_bind(const std::string& text, ContainerSpec& spec) {
    static const std::set<std::string> propagations = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
    // SELinux labels, and hints for machines that reach the files over a network: nothing to do here.
    static const std::set<std::string> without_effect = {"rw", "z", "Z", "consistent", "cached", "delegated"};
    std::vector<std::string> parts = split(text, ':');
    if (parts.size() > 3 || std::find(parts.begin(), parts.end(), "") != parts.end()) {
        throw invalid("invalid volume specification: '" + text + "'");
    }
    Mount mount;
    mount.target = parts.size() == 1 ? parts[0] : parts[1];
    if (parts.size() > 1) mount.source = parts[0];  // else the volume has no name
    mount.type = mount.source.starts_with("/") ? Mount::Type::bind : Mount::Type::volume;
    mount.create_host_path = mount.type == Mount::Type::bind;
    for (const std::string& option : parts.size() == 3 ? split(parts[2], ',') : std::vector<std::string>{}) {
        if (option == "ro")
            mount.read_only = true;
        else if (option == "nocopy")
            mount.no_copy = true;
        else if (propagations.contains(option))
            mount.propagation = option;
        else if (!without_effect.contains(option))
            throw invalid("invalid mode: " + option);
    }
    spec.mounts.push_back(mount);
}

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
    spec.group_add = host.texts("GroupAdd");
    spec.extra_hosts = host.texts("ExtraHosts");
    spec.dns = host.texts("Dns");
    spec.dns_search = host.texts("DnsSearch");
    spec.sysctls = host.text_map("Sysctls");
    spec.pid_mode = host.text("PidMode");
    if (std::string ipc = host.text("IpcMode"); ipc != "private" && ipc != "shareable") spec.ipc_mode = ipc;
    spec.shm_size = host.number("ShmSize");
    spec.oom_score_adj = static_cast<int>(
        std::clamp<int64_t>(host.number("OomScoreAdj"), -1001, 1001));  // the engine refuses the outermost
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
