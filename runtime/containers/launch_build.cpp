#include "runtime/containers/launch_build.h"

#include "base/error.h"
#include "base/size.h"
#include "runtime/containers/capabilities.h"
#include "runtime/containers/container_view.h"
#include "runtime/containers/launch_limits.h"
#include "runtime/containers/launch_mounts.h"
#include "runtime/containers/launch_process.h"
#include "runtime/containers/launch_user.h"
#include "runtime/containers/seccomp_policy.h"
#include "runtime/log_attributes.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Security options as Docker writes them: `no-new-privileges`, `seccomp=unconfined`, `seccomp=<json>`.
struct SecurityOptions {
    bool no_new_privileges = false;
    bool seccomp = true;
    std::string profile;
};

SecurityOptions parse_security(const ContainerSpec& container, std::vector<std::string>& warnings) {
    SecurityOptions result;
    for (const std::string& option : container.security_opt) {
        size_t split = option.find_first_of("=:");
        std::string key = option.substr(0, split),
                    value = split == std::string::npos ? std::string() : option.substr(split + 1);
        if (key == "no-new-privileges") {
            if (!value.empty() && value != "true" && value != "false") {
                throw Error(Code::invalid_argument, "Invalid --security-opt: \"" + option + "\"");
            }
            result.no_new_privileges = value != "false";
        } else if (key == "seccomp") {
            result.seccomp = value != "unconfined";
            result.profile = value == "unconfined" || value == "builtin" ? std::string() : value;
        } else if ((key == "apparmor" && value == "unconfined") || (key == "label" && value == "disable")) {
            continue;  // nothing confines it that way in any case
        } else if (key == "apparmor" || key == "label") {
            warnings.push_back("security option " + key +
                               " is not in force: containers are not confined by a security module here");
        } else {
            throw Error(Code::invalid_argument,
                        (split == std::string::npos ? "Invalid --security-opt: \"" : "invalid --security-opt 2: \"") +
                            option + "\"");
        }
    }
    return result;
}

CapabilityMask wanted_capabilities(const ContainerSpec& container, bool privileged,
                                   std::vector<std::string>& warnings) {
    CapabilityMask wanted =
        privileged ? all_capabilities() : adjust_capabilities(container.cap_add, container.cap_drop);
    CapabilityMask missing = wanted & ~own_capabilities();
    for (const std::string& name : capability_names(missing)) warnings.push_back("this machine can't give " + name);
    return wanted & ~missing;
}

void plan_security(const ContainerSpec& container, bool privileged, SeccompFilters& filters, LaunchSpec& spec) {
    SecurityOptions security = parse_security(container, spec.warnings);
    spec.capabilities = wanted_capabilities(container, privileged, spec.warnings);
    if (security.no_new_privileges) spec.flags |= shim::kNoNewPrivileges;
    if (!security.seccomp || (privileged && security.profile.empty())) return;
    spec.seccomp = security.profile.empty() ? filters.standard(spec.capabilities)
                                            : filters.from_profile(security.profile, spec.capabilities);
}

void plan_process(std::vector<std::string> arguments, const std::vector<std::string>& environment,
                  const std::string& working_dir, LaunchSpec& spec) {
    if (arguments.empty() || arguments.front().empty()) throw Error(Code::invalid_argument, "no command specified");
    spec.arguments = std::move(arguments);
    spec.environment = environment;
    spec.search_path = kDefaultPath;
    bool home = false;
    for (const std::string& entry : environment) {
        if (entry.starts_with("PATH=") && entry.size() > 5) spec.search_path = entry.substr(5);
        home = home || entry.starts_with("HOME=");
    }
    if (!home) spec.environment.push_back("HOME=" + spec.user.home);
    spec.working_dir = working_dir.empty() ? "/" : working_dir;
    if (spec.working_dir[0] != '/') {
        throw Error(Code::invalid_argument,
                    "the working directory '" + spec.working_dir + "' is invalid, it needs to be an absolute path");
    }
    spec.flags |= shim::kMakeWorkingDir;
}

/// `container:<id>`: another one's first process, whose run folder lies beside this one's.
Fd process_of(const LaunchRequest& request, const std::string& mode, int* pid) {
    std::string id = mode.substr(mode.find(':') + 1);
    if (id.empty() || id.find('/') != std::string::npos)
        throw Error(Code::invalid_argument, "invalid namespace mode \"" + mode + "\"");
    PidFile other;
    std::string folder = request.run_folder.substr(0, request.run_folder.rfind('/')) + "/" + id;
    Fd pidfd;
    if (read_pid_file(folder, &other)) pidfd = open_process(other.init);
    if (!pidfd) throw Error(Code::conflict, "cannot join the namespace of a container that is not running: " + id);
    *pid = other.init.pid;
    return pidfd;
}

Fd namespace_of(const LaunchRequest& request, const std::string& mode, const char* name) {
    int pid = 0;
    (void)process_of(request, mode, &pid);
    return open_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/" + name, O_RDONLY);
}

void add_join(LaunchSpec& spec, std::vector<Fd>& targets, Fd target, uint32_t type) {
    spec.joins.push_back({shim::kFirstExtraFd + static_cast<int>(targets.size()), type});
    targets.push_back(std::move(target));
}

void plan_namespaces(const LaunchRequest& request, LaunchSpec& spec, std::vector<Fd>& targets) {
    spec.clone_flags = CLONE_NEWNS;
    if (request.spec.uts_mode != "host") spec.clone_flags |= CLONE_NEWUTS;
    if (request.spec.cgroup_namespace != "host") spec.flags |= shim::kNewCgroupNamespace;
    if (request.new_network_namespace) {
        spec.clone_flags |= CLONE_NEWNET;
    } else if (request.join_network >= 0) {
        Fd copy(::fcntl(request.join_network, F_DUPFD_CLOEXEC, 3));
        if (!copy) throw_errno("the network namespace to join");
        add_join(spec, targets, std::move(copy), CLONE_NEWNET);
    }
    auto kind = [&](const std::string& mode, const char* name, uint32_t flag) {
        if (mode.empty() || mode == "none" || mode == "shareable")
            spec.clone_flags |= flag;
        else if (mode.starts_with("container:"))
            add_join(spec, targets, namespace_of(request, mode, name), flag);
        else if (mode != "host")
            throw Error(Code::invalid_argument, std::string("invalid ") + name + " mode \"" + mode + "\"");
    };
    kind(request.spec.pid_mode, "pid", CLONE_NEWPID);
    kind(request.spec.ipc_mode, "ipc", CLONE_NEWIPC);
    if (!request.spec.ipc_mode.starts_with("container:")) return;
    int pid = 0;
    const Fd other = process_of(request, request.spec.ipc_mode, &pid);
    spec.shared_memory = shim::kFirstExtraFd + static_cast<int>(targets.size());
    targets.push_back(open_shared_memory(other.get()));
}

/// 0: no limit.
uint64_t parse_log_size(const std::string& text) {
    if (text == "-1") return 0;
    std::optional<int64_t> size = parse_size(text);
    if (!size || *size == 0) throw Error(Code::invalid_argument, "invalid value for max-size: \"" + text + "\"");
    return static_cast<uint64_t>(*size);
}

void plan_log(const LaunchRequest& request, LaunchSpec& spec) {
    const LogConfig& log = request.spec.log;
    if (log.driver != "json-file" && log.driver != "none") {
        throw Error(Code::invalid_argument,
                    "log driver \"" + log.driver + "\" is not supported: use json-file or none");
    }
    for (const auto& [key, value] : log.options) {
        if (key == "max-size")
            spec.log_max_size = parse_log_size(value);
        else if (key == "max-file")
            spec.log_max_files = parse_count(value, "max-file");
        else if (!check_log_attribute(key, value))
            throw Error(Code::invalid_argument,
                        "log option \"" + key + "\" is not supported by log driver " + log.driver);
    }
    if (log.driver == "none") return;
    spec.flags |= shim::kKeepLog;
    spec.log_folder = request.container_folder;
    spec.log_name = request.id + "-json.log";
}

}  // namespace

LaunchSpec build_launch(const LaunchRequest& request, const Cgroups& cgroups, const std::string& cgroup_path,
                        SeccompFilters& filters, const std::string& shim, std::vector<Fd>& targets) {
    const ContainerSpec& container = request.spec;
    LaunchSpec spec;
    std::vector<std::string> folders{request.container_folder + "/upper"};
    folders.insert(folders.end(), request.layers.begin(), request.layers.end());
    spec.user = UserDatabase(folders).find(request.user, container.group_add);
    std::vector<std::string> arguments = request.arguments;
    if (container.init && !arguments.empty()) arguments.insert(arguments.begin(), {"/sbin/docker-init", "--"});
    plan_process(std::move(arguments), request.environment, request.working_dir, spec);
    plan_security(container, container.privileged, filters, spec);
    plan_namespaces(request, spec, targets);
    spec.hostname = request.hostname;
    spec.domainname = container.domainname;
    if (!spec.hostname.empty() && container.uts_mode != "host") spec.flags |= shim::kSetHostname;
    if (container.read_only) spec.flags |= shim::kReadOnlyRoot;
    if (container.tty) spec.flags |= shim::kTerminal;
    if (container.open_stdin) spec.flags |= shim::kOpenStdin;
    if (container.stdin_once) spec.flags |= shim::kStdinOnce;
    spec.terminal_rows = container.terminal_rows;
    spec.terminal_columns = container.terminal_columns;
    plan_limits(container, spec);
    plan_sysctls(request, spec);
    plan_log(request, spec);
    spec.run_folder = request.run_folder;
    spec.cgroup_path = cgroup_path;
    spec.cgroup_folder = cgroups.v2_folder(cgroup_path);
    spec.cgroup_files = cgroups.files(cgroup_path);
    spec.oom_file = cgroups.oom_file(cgroup_path);
    plan_root(request, spec);
    plan_mounts(request, cgroups, shim, spec, targets);
    return spec;
}

std::vector<std::string> check_launch(const ContainerSpec& container) {
    LaunchSpec spec;
    SecurityOptions security = parse_security(container, spec.warnings);
    CapabilityMask capabilities = wanted_capabilities(container, container.privileged, spec.warnings);
    if (!security.profile.empty()) (void)parse_seccomp_profile(security.profile, capabilities);
    plan_limits(container, spec);
    LaunchRequest request;
    request.spec = container;
    request.new_network_namespace = container.network_mode != "host";
    plan_sysctls(request, spec);
    for (const std::string& rule : container.device_rules) (void)parse_device_rule(rule);
    if (container.fixed_limits.oom_kill_disable && container.resources.memory == 0) {
        spec.warnings.emplace_back(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
            "running out of resources.");
    }
    return spec.warnings;
}

void build_exec(const ContainerSpec& container, const Launcher::ExecRequest& request, int init_pid,
                SeccompFilters& filters, LaunchSpec& spec) {
    spec.user = UserDatabase({"/proc/" + std::to_string(init_pid) + "/root"}).find(request.user, container.group_add);
    plan_process(request.arguments, request.environment, request.working_dir, spec);
    plan_security(container, request.privileged || container.privileged, filters, spec);
    plan_limits(container, spec);
}

}  // namespace kedge::runtime
