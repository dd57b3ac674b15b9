#include "runtime/containers/cgroups.h"

#include "base/error.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroup_fixed_limits.h"
#include "runtime/containers/cgroup_limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <sstream>

namespace kedge::runtime {

namespace {

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, by);)
        if (!part.empty()) parts.push_back(part);
    return parts;
}

/// Blanks in mount points are written as octal escapes.
std::string unescape(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

const char* const kControllers[] = {"cpu",  "cpuacct", "cpuset",   "memory",     "devices", "freezer", "blkio",
                                    "pids", "net_cls", "net_prio", "perf_event", "hugetlb", "rdma",    "misc"};

void make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) throw_errno("make cgroup " + path);
}

/// Hands every controller that may be handed on to the groups below.
void enable_controllers(const CgroupHierarchy& hierarchy, const std::string& folder) {
    for (const std::string& controller : hierarchy.controllers)
        (void)write_group_file(folder + "/cgroup.subtree_control",
                               "+" + controller);  // what isn't there shows as a warning later
}

std::vector<std::string> parents(const std::string& path) {
    std::vector<std::string> result;
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
        result.push_back(path.substr(0, slash));
    return result;
}

void make_group(const CgroupHierarchy& hierarchy, const std::string& path, bool may_exist) {
    std::string above = hierarchy.mount_point;
    for (const std::string& parent : parents(path)) {
        std::string folder = hierarchy.mount_point + "/" + parent;
        bool there = ::access(folder.c_str(), F_OK) == 0;
        if (!there) {
            if (hierarchy.v2) enable_controllers(hierarchy, above);
            make_folder(folder);
            if (hierarchy.has("cpuset") && !hierarchy.v2) inherit_cpuset(above, folder);
            if (hierarchy.v2) enable_controllers(hierarchy, folder);
        } else if (hierarchy.v2 && !hierarchy.controllers.empty() &&
                   read_group_file(folder + "/cgroup.subtree_control").empty()) {
            enable_controllers(hierarchy, folder);  // somebody else's, who had nothing below it yet
        }
        above = folder;
    }
    std::string folder = hierarchy.mount_point + "/" + path;
    if (::mkdir(folder.c_str(), 0755) != 0 && !(may_exist && errno == EEXIST)) {
        if (errno != ENOENT) throw_errno("make cgroup " + folder);
        // A parent went away in between: another agent with this name has just removed its last group.
        make_folder(above);
        if (hierarchy.has("cpuset") && !hierarchy.v2) inherit_cpuset(hierarchy.mount_point, above);
        if (::mkdir(folder.c_str(), 0755) != 0) throw_errno("make cgroup " + folder);
    }
    if (hierarchy.has("cpuset") && !hierarchy.v2) inherit_cpuset(above, folder);
}

void write_device_rules(const std::string& folder, const std::vector<DeviceRule>& rules) {
    const DevicePolicy policy = device_policy(rules);
    must_write(folder, policy.otherwise ? "devices.allow" : "devices.deny", "a");
    for (const DeviceRule& rule : policy.exceptions) {
        auto number = [](int64_t n) { return n < 0 ? std::string("*") : std::to_string(n); };
        must_write(
            folder, policy.otherwise ? "devices.deny" : "devices.allow",
            std::string(1, rule.type) + " " + number(rule.major) + ":" + number(rule.minor) + " " + rule.permissions);
    }
}

constexpr size_t kPidListLimit = 64u << 20;
constexpr size_t kPidfdsAtOnce = 256;
constexpr auto kKillPatience =
    std::chrono::seconds(2);  // of whoever waits for exits: one container must not hold up the others

std::vector<int> processes(const std::string& folder) {
    std::vector<int> pids;
    try {
        for (const std::string& line : split(read_file_at(AT_FDCWD, folder + "/cgroup.procs", kPidListLimit), '\n')) {
            if (int pid = std::atoi(line.c_str()); pid > 0) pids.push_back(pid);  // 0: in a namespace that isn't ours
        }
    } catch (const Error&) {
        // gone meanwhile
    }
    return pids;
}

Fd open_pid(int pid) {
    return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// SIGKILL for all that is in the group. Numbers are given anew as soon as processes end, so each is opened first, and
/// killed only if it is in the group still.
void kill_processes(const std::string& folder) {
    std::vector<int> pids = processes(folder);
    for (size_t start = 0; start < pids.size(); start += kPidfdsAtOnce) {
        std::map<int, Fd> opened;
        for (size_t i = start; i < std::min(pids.size(), start + kPidfdsAtOnce); ++i)
            opened[pids[i]] = open_pid(pids[i]);
        for (int pid : processes(folder)) {
            auto found = opened.find(pid);
            if (found == opened.end() || !found->second) continue;
            (void)::syscall(SYS_pidfd_send_signal, found->second.get(), SIGKILL, nullptr,
                            0);  // it may have ended just now
        }
    }
}

/// Waits until one of those that were killed is gone, or the deadline.
void await_one(const std::string& folder, std::chrono::steady_clock::time_point deadline) {
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    std::vector<int> pids = processes(folder);
    Fd pidfd = pids.empty() ? Fd() : open_pid(pids.front());
    pollfd watched{pidfd.get(), POLLIN, 0};
    // The kernel takes a moment to let go of a group whose last process has ended, and tells nobody.
    (void)::poll(&watched, 1, pidfd ? static_cast<int>(std::max<int64_t>(left, 0)) : 1);
}

}  // namespace

bool CgroupHierarchy::has(std::string_view controller) const {
    return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

std::vector<CgroupHierarchy> parse_hierarchies(const std::string& mountinfo) {
    std::vector<CgroupHierarchy> result;
    for (const std::string& line : split(mountinfo, '\n')) {
        size_t dash = line.find(" - ");
        if (dash == std::string::npos) continue;
        std::vector<std::string> left = split(line.substr(0, dash), ' ');
        std::vector<std::string> right = split(line.substr(dash + 3), ' ');
        if (left.size() < 5 || right.size() < 3) continue;
        CgroupHierarchy hierarchy;
        hierarchy.mount_point = unescape(left[4]);
        hierarchy.v2 = right[0] == "cgroup2";
        if (!hierarchy.v2 && right[0] != "cgroup") continue;
        for (const std::string& option : split(right[2], ',')) {
            bool known = std::find(std::begin(kControllers), std::end(kControllers), option) != std::end(kControllers);
            if (known || option.starts_with("name=")) hierarchy.controllers.push_back(option);
        }
        bool twice = std::any_of(result.begin(), result.end(), [&](const CgroupHierarchy& other) {
            return other.v2 == hierarchy.v2 && (hierarchy.v2 || other.controllers == hierarchy.controllers);
        });
        if (!twice) result.push_back(std::move(hierarchy));
    }
    return result;
}

Cgroups::Cgroups() : hierarchies_(parse_hierarchies(read_file_at(AT_FDCWD, "/proc/self/mountinfo"))) {
    for (CgroupHierarchy& hierarchy : hierarchies_)
        if (hierarchy.v2)
            hierarchy.controllers = split(read_group_file(hierarchy.mount_point + "/cgroup.controllers"), ' ');
}

const CgroupHierarchy* Cgroups::with(std::string_view controller) const {
    for (const CgroupHierarchy& hierarchy : hierarchies_)
        if (hierarchy.has(controller)) return &hierarchy;
    return nullptr;
}

const CgroupHierarchy* Cgroups::v2() const {
    for (const CgroupHierarchy& hierarchy : hierarchies_)
        if (hierarchy.v2) return &hierarchy;
    return nullptr;
}

void Cgroups::make(const std::string& path, const Resources& resources, const std::vector<DeviceRule>& devices,
                   std::vector<std::string>& warnings) const {
    try {
        make_groups(path);
        write_limits(hierarchies_, path, resources, {}, warnings);
        limit_devices(path, devices, warnings);
    } catch (const Error&) {
        try {
            remove(path);
        } catch (const Error&) {
            // The first error is the one that tells.
        }
        throw;
    }
}

void Cgroups::fix_limits(const std::string& path, const FixedLimits& limits, std::vector<std::string>& warnings) const {
    write_fixed_limits(hierarchies_, path, limits, warnings);
}

void Cgroups::make_groups(const std::string& path, bool may_exist) const {
    std::lock_guard lock(making_);
    for (const CgroupHierarchy& hierarchy : hierarchies_) make_group(hierarchy, path, may_exist);
}

void Cgroups::limit_devices(const std::string& path, const std::vector<DeviceRule>& devices,
                            std::vector<std::string>& warnings) const {
    if (const CgroupHierarchy* h = with("devices"))
        write_device_rules(h->mount_point + "/" + path, devices);
    else if (v2())
        attach_device_rules(v2()->mount_point + "/" + path, devices);
    else
        warnings.push_back("this machine has no device cgroup: access to devices is not limited");
}

bool Cgroups::exists(const std::string& path) const {
    return std::any_of(hierarchies_.begin(), hierarchies_.end(),
                       [&](const CgroupHierarchy& h) { return group_file_exists(h.mount_point + "/" + path); });
}

void Cgroups::change_limits(const std::string& path, const Resources& now, const Resources& before,
                            std::vector<std::string>& warnings) const {
    try {
        write_limits(hierarchies_, path, now, before, warnings);
    } catch (const Error&) {
        try {
            std::vector<std::string> again;
            write_limits(hierarchies_, path, before, now, again);
        } catch (const Error&) {
            // The first error is the one that tells.
        }
        throw;
    }
}

std::vector<std::string> Cgroups::files(const std::string& path) const {
    std::vector<std::string> result;
    for (const CgroupHierarchy& hierarchy : hierarchies_)
        if (!hierarchy.v2) result.push_back(hierarchy.mount_point + "/" + path + "/tasks");
    return result;
}

std::string Cgroups::v2_folder(const std::string& path) const {
    return v2() ? v2()->mount_point + "/" + path : std::string();
}

std::string Cgroups::oom_file(const std::string& path) const {
    const CgroupHierarchy* memory = with("memory");
    if (!memory) return {};
    return memory->mount_point + "/" + path + (memory->v2 ? "/memory.events" : "/memory.oom_control");
}

void Cgroups::kill(const std::string& path) const {
    if (hierarchies_.empty()) return;
    const CgroupHierarchy* unified = v2();
    const CgroupHierarchy& hierarchy = unified ? *unified : hierarchies_.front();
    const std::string folder = group_folder(hierarchy.mount_point, path);
    if (!hierarchy.v2 || write_group_file(folder + "/cgroup.kill", "1") != 0) kill_processes(folder);
    thaw(path);
}

void Cgroups::remove(const std::string& path) const {
    const auto deadline = std::chrono::steady_clock::now() + kKillPatience;
    for (const CgroupHierarchy& hierarchy : hierarchies_) {
        const std::string folder = group_folder(hierarchy.mount_point, path);
        while (::rmdir(folder.c_str()) != 0) {
            const int error = errno;
            if (error == ENOENT) break;
            if (error != EBUSY || std::chrono::steady_clock::now() >= deadline)
                throw errno_error("remove cgroup " + folder, error);
            if (!hierarchy.v2 || write_group_file(folder + "/cgroup.kill", "1") != 0) kill_processes(folder);
            thaw(path);
            await_one(folder, deadline);
        }
    }
}

void Cgroups::remove_parent(const std::string& path) const {
    for (const CgroupHierarchy& hierarchy : hierarchies_) (void)::rmdir((hierarchy.mount_point + "/" + path).c_str());
}

}  // namespace kedge::runtime
