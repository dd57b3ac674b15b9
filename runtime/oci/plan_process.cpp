#include "base/error.h"
#include "runtime/containers/launch_user.h"
#include "runtime/containers/seccomp_filter.h"
#include "runtime/oci/plan.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace kedge::oci {

namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What this machine can't give is a warning, as runtime-spec wants it.
void plan_capabilities(const Capabilities& capabilities, runtime::LaunchSpec& spec) {
    for (const std::string& name : capabilities.unknown)
        spec.warnings.push_back("process.capabilities: " + name + " is not known");
    const runtime::CapabilityMask own = runtime::own_capabilities();
    const runtime::CapabilitySets& sets = capabilities.sets;
    const runtime::CapabilityMask all =
        capabilities.bounding | sets.effective | sets.permitted | sets.inheritable | sets.ambient;
    for (const std::string& name : runtime::capability_names(all & ~own))
        spec.warnings.push_back("process.capabilities: this machine can't give " + name);
    spec.capabilities = capabilities.bounding & own;
    spec.sets.permitted = sets.permitted & own;
    spec.sets.effective = sets.effective & spec.sets.permitted;
    spec.sets.inheritable = sets.inheritable & own;
    spec.sets.ambient = sets.ambient & spec.sets.permitted & spec.sets.inheritable;
    if (sets.ambient & own & ~spec.sets.ambient)
        spec.warnings.push_back("process.capabilities.ambient: only what is permitted and inheritable can be ambient");
    if (sets.effective & own & ~spec.sets.effective)
        spec.warnings.push_back("process.capabilities.effective: only what is permitted can be effective");
    spec.flags |= shim::kExactCapabilities;
}

constexpr uint32_t kWaitKillable = 1 << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV of newer headers

void plan_filter(const Config& config, runtime::LaunchSpec& spec) {
    if (config.seccomp.empty()) return;
    static runtime::SeccompFilters filters;
    try {
        spec.seccomp = filters.from_profile(config.seccomp, spec.capabilities, config.seccomp_notifies);
    } catch (const Error& e) {
        throw e.with_context("config.json: linux.seccomp");
    }
    for (const std::string& flag : config.seccomp_flags) {
        // One thread has nobody to be in step with; the kernel doesn't take both.
        if (flag == "SECCOMP_FILTER_FLAG_TSYNC" && !config.seccomp_notifies)
            spec.seccomp_flags |= SECCOMP_FILTER_FLAG_TSYNC;
        if (flag == "SECCOMP_FILTER_FLAG_LOG") spec.seccomp_flags |= SECCOMP_FILTER_FLAG_LOG;
        if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") spec.seccomp_flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        if (flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") spec.seccomp_flags |= kWaitKillable;
    }
    if (config.seccomp_notifies) spec.seccomp_flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

void set_scheduler(const Scheduler& wanted, int pid) {
    struct {  // struct sched_attr, which <linux/sched/types.h> and <sched.h> don't have together everywhere
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes{
        48, wanted.policy, wanted.flags, wanted.nice, wanted.priority, wanted.runtime, wanted.deadline, wanted.period};
    if (::syscall(SYS_sched_setattr, pid, &attributes, 0) != 0) throw_errno("process.scheduler");
}

/// As the container's own user database has it, which may be hostile or not there.
std::string home_of(uint32_t uid, const std::string& root) {
    try {
        return runtime::UserDatabase({root}).find(std::to_string(uid), {}).home;
    } catch (const Error&) {
        return "/";
    }
}

}  // namespace

void plan_process(const Process& process, const Config& config, const std::string& root, runtime::LaunchSpec& spec) {
    spec.user.uid = process.uid;
    spec.user.gid = process.gid;
    spec.user.groups = process.groups;
    spec.arguments = process.arguments;
    spec.environment = process.environment;
    spec.search_path = kDefaultPath;
    bool home = false;
    for (const std::string& entry : process.environment) {
        if (entry.starts_with("PATH=") && entry.size() > 5) spec.search_path = entry.substr(5);
        home = home || entry.starts_with("HOME=");
    }
    if (!home) spec.environment.push_back("HOME=" + home_of(process.uid, root));
    spec.working_dir = process.working_dir;
    spec.flags |= shim::kMakeWorkingDir;
    if (process.terminal) spec.flags |= shim::kTerminal;
    spec.terminal_rows = process.rows;
    spec.terminal_columns = process.columns;
    if (process.umask)
        spec.umask = *process.umask;
    else
        spec.flags |= shim::kKeepUmask;
    plan_capabilities(process.capabilities, spec);
    if (process.no_new_privileges) spec.flags |= shim::kNoNewPrivileges;
    spec.limits = process.limits;
    spec.flags |= shim::kStrictLimits;
    spec.apparmor_profile = process.apparmor_profile;
    plan_filter(config, spec);
    if (config.personality) {
        spec.flags |= shim::kSetPersonality;
        spec.personality = *config.personality;
    }
}

void set_from_outside(const Process& process, int pid) {
    if (process.oom_score_adj) {
        try {
            Fd file = open_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/oom_score_adj", O_WRONLY);
            write_all(file.get(), std::to_string(*process.oom_score_adj));
        } catch (const Error& e) {
            throw e.with_context("process.oomScoreAdj");
        }
    }
    // Inside a user namespace nobody may raise a hard limit; the process then sets them as they are to be.
    for (const shim::Limit& limit : process.limits) {
        rlimit now{};
        const auto resource = static_cast<__rlimit_resource>(limit.resource);
        if (::prlimit(pid, resource, nullptr, &now) != 0 || now.rlim_max >= limit.hard) continue;
        now.rlim_max = limit.hard;
        if (::prlimit(pid, resource, &now, nullptr) != 0) throw_errno("process.rlimits: raise the hard limit");
    }
    if (process.scheduler) set_scheduler(*process.scheduler, pid);
    if (process.io_priority && ::syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, pid, *process.io_priority) != 0)
        throw_errno("process.ioPriority");
}

void write_id_mappings(const IdMappings& mappings, int pid) {
    for (auto [file, list] : {std::pair{"gid_map", &mappings.groups}, std::pair{"uid_map", &mappings.users}}) {
        std::string text;
        for (const IdMapping& mapping : *list)
            text += std::to_string(mapping.inside) + " " + std::to_string(mapping.outside) + " " +
                    std::to_string(mapping.size) + "\n";
        // In one write, as the kernel wants it.
        Fd map = open_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/" + file, O_WRONLY);
        if (::write(map.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            throw_errno(list == &mappings.users ? "config.json: linux.uidMappings" : "config.json: linux.gidMappings");
    }
}

}  // namespace kedge::oci
