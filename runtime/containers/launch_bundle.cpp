#include "runtime/containers/launch_bundle.h"

#include "base/error.h"
#include "runtime/containers/capabilities.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace kedge::runtime {

namespace {

using Json = nlohmann::json;
using shim::MountKind;

constexpr uint64_t kSlaveMount = 1 << 19, kPrivateMount = 1 << 18;  // MS_*: <sys/mount.h> clashes here

Json process(const LaunchRequest& request, const LaunchSpec& spec) {
    Json capabilities = capability_names(spec.capabilities);
    Json own = spec.user.uid == 0 ? capabilities : Json::array();
    Json result = {{"terminal", request.spec.tty},
                   {"user", {{"uid", spec.user.uid}, {"gid", spec.user.gid}, {"additionalGids", spec.user.groups}}},
                   {"args", spec.arguments},
                   {"env", spec.environment},
                   {"cwd", spec.working_dir},
                   {"capabilities", {{"bounding", capabilities}, {"effective", own}, {"permitted", own}}},
                   {"noNewPrivileges", (spec.flags & shim::kNoNewPrivileges) != 0}};
    if (spec.flags & shim::kSetOomScore) result["oomScoreAdj"] = spec.oom_score_adj;
    for (size_t i = 0; i < spec.limits.size() && i < request.spec.ulimits.size(); i++) {
        std::string name = "RLIMIT_" + request.spec.ulimits[i].name;
        for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        result["rlimits"].push_back({{"type", name}, {"soft", spec.limits[i].soft}, {"hard", spec.limits[i].hard}});
    }
    return result;
}

Json mount_options(const LaunchMount& mount) {
    Json options = Json::array();
    if (mount.kind == MountKind::bind) options.push_back(mount.flags & shim::kRecursive ? "rbind" : "bind");
    const std::pair<uint64_t, const char*> names[] = {
        {MOUNT_ATTR_NOSUID, "nosuid"}, {MOUNT_ATTR_NODEV, "nodev"}, {MOUNT_ATTR_NOEXEC, "noexec"}};
    for (const auto& [bit, name] : names)
        if (mount.attributes & bit) options.push_back(name);
    options.push_back(mount.attributes & MOUNT_ATTR_RDONLY ? "ro" : "rw");
    if (mount.kind == MountKind::bind)
        options.push_back(mount.propagation & kPrivateMount ? "rprivate"
                          : mount.propagation & kSlaveMount ? "rslave"
                                                            : "rshared");
    for (const auto& [key, value] : mount.options) options.push_back(value.empty() ? key : key + "=" + value);
    return options;
}

void add_mounts(const LaunchSpec& spec, Json& config) {
    Json &mounts = config["mounts"] = Json::array(), &linux_part = config["linux"];
    for (const LaunchMount& mount : spec.mounts) {
        if (mount.kind == MountKind::filesystem || mount.kind == MountKind::bind) {
            bool file_system = mount.kind == MountKind::filesystem;
            mounts.push_back({{"destination", mount.target},
                              {"type", file_system ? mount.type : "bind"},
                              {"source", file_system ? mount.type : mount.source},
                              {"options", mount_options(mount)}});
        }
        if (mount.kind == MountKind::mask) linux_part["maskedPaths"].push_back(mount.target);
        if (mount.kind == MountKind::read_only) linux_part["readonlyPaths"].push_back(mount.target);
        if (mount.kind == MountKind::node) {
            linux_part["devices"].push_back({{"path", mount.target},
                                             {"type", S_ISBLK(mount.mode) ? "b" : "c"},
                                             {"major", major(mount.device)},
                                             {"minor", minor(mount.device)},
                                             {"fileMode", mount.mode & 07777},
                                             {"uid", mount.uid},
                                             {"gid", mount.gid}});
        }
    }
}

Json resources(const Resources& r, const LaunchSpec& spec) {
    Json result = Json::object();
    for (const DeviceRule& rule : spec.device_rules) {
        Json entry = {{"allow", true}, {"access", rule.permissions}};
        if (rule.type != 'a') entry["type"] = std::string(1, rule.type);
        if (rule.major >= 0) entry["major"] = rule.major;
        if (rule.minor >= 0) entry["minor"] = rule.minor;
        result["devices"].push_back(entry);
    }
    if (r.memory > 0) result["memory"]["limit"] = r.memory;
    if (r.memory_swap != 0) result["memory"]["swap"] = r.memory_swap;
    if (r.memory_reservation > 0) result["memory"]["reservation"] = r.memory_reservation;
    if (r.nano_cpus > 0) result["cpu"] = {{"quota", r.nano_cpus / 10000}, {"period", 100000}};
    if (r.cpu_shares > 0) result["cpu"]["shares"] = r.cpu_shares;
    if (!r.cpuset_cpus.empty()) result["cpu"]["cpus"] = r.cpuset_cpus;
    if (r.pids_limit > 0) result["pids"]["limit"] = r.pids_limit;
    return result;
}

Json namespaces(const LaunchSpec& spec) {
    const bool own_cgroups = (spec.flags & shim::kNewCgroupNamespace) != 0;
    const std::pair<uint64_t, const char*> kinds[] = {{CLONE_NEWPID, "pid"},
                                                      {CLONE_NEWNET, "network"},
                                                      {CLONE_NEWIPC, "ipc"},
                                                      {CLONE_NEWUTS, "uts"},
                                                      {CLONE_NEWNS, "mount"}};
    Json result = Json::array();
    if (own_cgroups) result.push_back({{"type", "cgroup"}});
    for (const auto& [flag, name] : kinds)
        if (spec.clone_flags & flag) result.push_back({{"type", name}});
    return result;
}

}  // namespace

void write_bundle(const LaunchRequest& request, const LaunchSpec& spec) {
    std::map<std::string, std::string> annotations = request.spec.annotations;
    annotations.insert(request.spec.labels.begin(), request.spec.labels.end());
    Json config = {{"ociVersion", "1.1.0"},
                   {"process", process(request, spec)},
                   {"root", {{"path", "rootfs"}, {"readonly", request.spec.read_only}}},
                   {"hostname", spec.hostname},
                   {"annotations", annotations}};
    config["linux"] = {{"namespaces", namespaces(spec)},
                       {"cgroupsPath", "/" + spec.cgroup_path},
                       {"resources", resources(request.spec.resources, spec)}};
    for (const auto& [path, value] : spec.sysctls) config["linux"]["sysctl"][path.substr(10)] = value;
    add_mounts(spec, config);
    // Bytes that are no UTF-8 may be in arguments: replaced here, kept in the plan.
    std::string text = config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    Fd file = open_at(AT_FDCWD, request.run_folder + "/config.json", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    write_all(file.get(), text);
}

}  // namespace kedge::runtime
