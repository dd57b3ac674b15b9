#pragma once

#include "runtime/container_usage.h"
#include "runtime/containers/launch_spec.h"

#include <mutex>
#include <string>
#include <vector>

namespace kedge::runtime {

/// One mounted hierarchy of control groups. On v1 there are several, each with its controllers; on v2 there is one for
/// all; in hybrid mode both, and v2 has few controllers or none.
struct CgroupHierarchy {
    std::string mount_point;
    bool v2 = false;
    std::vector<std::string>
        controllers;  ///< v1: names, with `name=systemd` for named ones; v2: those that may be enabled
    bool has(std::string_view controller) const;
};

/// The machine's control groups as far as containers need them. Thread-safe.
class Cgroups {
public:
    /// Looks at what is mounted (/proc/self/mountinfo).
    Cgroups();
    explicit Cgroups(std::vector<CgroupHierarchy> hierarchies) : hierarchies_(std::move(hierarchies)) {}

    const std::vector<CgroupHierarchy>& hierarchies() const { return hierarchies_; }

    /// Makes the group `path` (`kedge/<id>`) everywhere, with these limits and device rules. What the machine can't
    /// limit is a warning. Throws Error, having removed what it made.
    void make(const std::string& path, const Resources& resources, const std::vector<DeviceRule>& devices,
              std::vector<std::string>& warnings) const;

    /// The limits of a new group that never change. Throws Error.
    void fix_limits(const std::string& path, const FixedLimits& limits, std::vector<std::string>& warnings) const;

    /// The parts of that: the group alone, which may be there already if `may_exist`; and its devices.
    void make_groups(const std::string& path, bool may_exist = false) const;
    void limit_devices(const std::string& path, const std::vector<DeviceRule>& devices,
                       std::vector<std::string>& warnings) const;

    /// Whether any hierarchy has this group.
    bool exists(const std::string& path) const;

    /// Changes the limits of a group with processes in it. Throws Error, having put back what was changed.
    void change_limits(const std::string& path, const Resources& now, const Resources& before,
                       std::vector<std::string>& warnings) const;

    /// Stops every process of `path` where it is; returns once they have stopped. They may be killed meanwhile, but on
    /// v1 they end only once they are let go. Throws Error, having let them go: unavailable if one can't be stopped
    /// now.
    void freeze(const std::string& path) const;
    /// Lets them go on. What isn't frozen, or is gone, is fine.
    void thaw(const std::string& path) const;
    bool is_frozen(const std::string& path) const;

    /// The processes of `path` and of the groups that were made below it, ascending.
    std::vector<int> processes(const std::string& path) const;

    /// What `path` has used so far; what this machine doesn't count stays at its default. The clock and networks are
    /// the caller's.
    ContainerUsage usage(const std::string& path) const;

    /// The files of `path` on v1 that a process joins by writing "0" into. `tasks`, not cgroup.procs: a process of one
    /// thread that moves itself needs no lock over all processes, whose RCU grace period costs 5 to 20 ms. The v2
    /// folder, to be cloned into, or empty.
    std::vector<std::string> files(const std::string& path) const;
    std::string v2_folder(const std::string& path) const;

    /// memory.events or memory.oom_control of `path`; empty without a memory controller.
    std::string oom_file(const std::string& path) const;

    /// SIGKILL for every process of `path`, also if it is frozen.
    void kill(const std::string& path) const;

    /// Removes `path` everywhere, after killing what still runs in it. Throws Error if something survives.
    void remove(const std::string& path) const;

    /// Removes a parent that has no groups left; one that has is fine.
    void remove_parent(const std::string& path) const;

private:
    const CgroupHierarchy* with(std::string_view controller) const;
    const CgroupHierarchy* v2() const;

    std::vector<CgroupHierarchy> hierarchies_;
    mutable std::mutex making_;  ///< nobody joins or fills a parent that another thread is still preparing
};

/// What mountinfo and cgroup.controllers say: for tests, the texts instead of the machine's.
std::vector<CgroupHierarchy> parse_hierarchies(const std::string& mountinfo);

/// What a list of rules comes to: everything is allowed or not, but for some devices.
struct DevicePolicy {
    bool otherwise = false;
    std::vector<DeviceRule> exceptions;
};
/// As the kernel's devices.allow and devices.deny (v1) read them one after the other.
DevicePolicy device_policy(const std::vector<DeviceRule>& rules);

/// A BPF program that lets through what the rules allow, for cgroup v2. Attached to the folder; throws Error.
void attach_device_rules(const std::string& folder, const std::vector<DeviceRule>& rules);

}  // namespace kedge::runtime
