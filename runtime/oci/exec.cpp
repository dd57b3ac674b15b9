#include "base/error.h"
#include "base/text.h"
#include "runtime/containers/launch_process.h"
#include "runtime/containers/launch_user.h"
#include "runtime/oci/commands.h"
#include "runtime/oci/plan.h"
#include "runtime/oci/shim_call.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kedge::oci {

namespace {

/// The container's own process with what the caller wants different.
Process wanted_process(const Config& config, const ExecOptions& options, const std::string& root) {
    if (options.process) return *options.process;
    if (!config.process) throw Error(Code::invalid_argument, "config.json: process: is missing");
    Process process = *config.process;
    process.terminal = options.terminal;
    process.rows = process.columns = 0;
    process.arguments = options.arguments;
    process.environment.insert(process.environment.end(), options.environment.begin(), options.environment.end());
    if (!options.working_dir.empty()) process.working_dir = options.working_dir;
    if (!process.working_dir.starts_with('/'))
        throw Error(Code::invalid_argument, "--cwd: \"" + process.working_dir + "\" is not an absolute path");
    if (!options.apparmor_profile.empty()) process.apparmor_profile = options.apparmor_profile;
    process.no_new_privileges = process.no_new_privileges || options.no_new_privileges;
    process.scheduler.reset();
    if (!options.user.empty() || !options.groups.empty()) {
        const runtime::LaunchUser user = runtime::UserDatabase({root}).find(
            options.user.empty() ? std::to_string(process.uid) + ":" + std::to_string(process.gid) : options.user,
            options.groups);
        process.uid = user.uid;
        process.gid = user.gid;
        process.groups = user.groups;
    }
    for (const std::string& name : options.capabilities) {
        const runtime::CapabilityMask bit = runtime::CapabilityMask{1} << runtime::capability_number(name);
        Capabilities& all = process.capabilities;
        for (runtime::CapabilityMask* set :
             {&all.bounding, &all.sets.effective, &all.sets.permitted, &all.sets.inheritable, &all.sets.ambient})
            *set |= bit;
    }
    return process;
}

void check_terminal(const Process& process, const ExecOptions& options) {
    if (process.terminal && options.detach && options.console_socket.empty())
        throw Error(Code::invalid_argument, "a terminal needs a console socket (--console-socket) with --detach");
    if (!process.terminal && !options.console_socket.empty())
        throw Error(Code::invalid_argument, "--console-socket: the process has no terminal");
}

void set_processors(const std::vector<int>& processors, int pid) {
    if (processors.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int processor : processors) CPU_SET(processor, &set);
    if (::sched_setaffinity(pid, sizeof set, &set) != 0) throw_errno("process.execCPUAffinity");
}

void check_status(Status status, bool ignore_paused) {
    if (status == Status::stopped)
        throw Error(Code::conflict, "cannot exec in a stopped container: container not running");
    if (status == Status::creating) throw Error(Code::conflict, "cannot exec in a container that is being made");
    if (status == Status::paused && !ignore_paused)
        throw Error(Code::conflict, "cannot exec in a paused container", "use --ignore-paused to do it all the same");
}

/// Makes the process; it executes once what only others can set has been set.
Created spawn(const Runtime& runtime, Launch& launch, const runtime::Birth& birth, const Process& process,
              const std::function<void(int pid, const Fd& listener)>& hand_on) {
    ShimCall call(runtime, "exec", launch, birth);
    const int pid = call.shim().pid;
    runtime::ShimDialogue& dialogue = call.dialogue();
    set_from_outside(process, pid);
    set_processors(process.final_processors, pid);
    dialogue.hand_listener_to([&](Fd listener) { hand_on(pid, listener); });
    dialogue.let_go();
    Fd terminal;
    dialogue.await_executing(nullptr, &terminal);
    for (const std::string& warning : launch.spec.warnings) runtime.warn(warning);
    return {{pid, runtime::process_start_time(pid)}, call.shim().pidfd.duplicate(), std::move(terminal)};
}

}  // namespace

Created exec(const Runtime& runtime, const std::string& id, const ExecOptions& options) {
    const StateFolder folder = StateFolder::open(runtime.root, id);
    const State state = folder.load();
    const runtime::Cgroups cgroups;
    check_status(status_of(state, cgroups), options.ignore_paused);
    const Config config = parse_config(folder.config());
    const std::string root = "/proc/" + std::to_string(state.init.pid) + "/root";
    const Process process = wanted_process(config, options, root);
    check_terminal(process, options);

    Launch launch;
    Fd init = runtime::open_process(state.init);
    if (!init) throw Error(Code::conflict, "container not running");
    const uint32_t namespaces = other_namespaces(state.init.pid);
    runtime::Birth birth;
    if (namespaces & CLONE_NEWPID) birth.process_namespace = init.get();
    launch.spec.joins = {{launch.add(init.duplicate()), namespaces}};
    launch.spec.flags = shim::kAwaitGo;
    if (namespaces & CLONE_NEWUSER) launch.spec.flags |= shim::kUserNamespace;
    plan_process(process, config, root, launch.spec);
    launch.spec.cgroup_path = state.cgroup;
    birth.cgroup_folder = cgroups.v2_folder(state.cgroup);
    launch.spec.cgroup_files = cgroups.files(state.cgroup);
    add_preserved(options.preserved, launch);
    set_processors(process.initial_processors, 0);
    Created created = spawn(runtime, launch, birth, process, [&](int pid, const Fd& listener) {
        send_seccomp_listener(config, state, Status::running, pid, listener);
    });
    if (created.terminal && !options.console_socket.empty()) {
        send_terminal(options.console_socket, created.terminal);
        created.terminal.reset();
    }
    if (!options.pid_file.empty()) write_pid_file(options.pid_file, created.init.pid);
    return created;
}

void write_pid_file(const std::string& path, int pid) {
    // Whole or not at all: whoever waits for it reads it at once.
    const std::string made = path + ".new-" + std::to_string(::getpid());
    {
        Fd file = open_at(AT_FDCWD, made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
        write_all(file.get(), std::to_string(pid));
    }
    if (::rename(made.c_str(), path.c_str()) != 0) {
        const int error = errno;
        (void)::unlink(made.c_str());
        throw errno_error(path, error);
    }
}

}  // namespace kedge::oci
