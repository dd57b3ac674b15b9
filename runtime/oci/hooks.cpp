#include "base/error.h"
#include "runtime/containers/capabilities.h"
#include "runtime/containers/launch_dialogue.h"
#include "runtime/containers/launch_plan_writer.h"
#include "runtime/containers/launch_process.h"
#include "runtime/containers/spawn.h"
#include "runtime/oci/commands.h"
#include "runtime/oci/plan.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace kedge::oci {

namespace {

constexpr size_t kMostTold = 4096;  // of a hook's output, in an error

Fd make_memory(const std::string& content) {
    Fd memory(::memfd_create("kedge-hook", MFD_CLOEXEC));
    if (!memory) throw_errno("make a file in memory");
    write_all(memory.get(), content);
    (void)::lseek(memory.get(), 0, SEEK_SET);
    return memory;
}

/// What one hook reads and writes.
struct Streams {
    Fd in, out;
    explicit Streams(const std::string& state) : in(make_memory(state)), out(make_memory("")) {}
    std::string said() const {
        std::string text(kMostTold, '\0');
        const ssize_t size = ::pread(out.get(), text.data(), text.size(), 0);
        text.resize(size > 0 ? static_cast<size_t>(size) : 0);
        while (!text.empty() && text.back() == '\n') text.pop_back();
        return text;
    }
};

/// Until it has ended, or its time is over: then it is killed.
void await_hook(const Hook& hook, int pid, const Streams& streams) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const bool in_time = runtime::await_end(pidfd.get(), hook.timeout > 0 ? hook.timeout * 1000 : -1);
    if (!in_time) (void)::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    const std::string where = hook.where + ": " + hook.path + ": ", said = streams.said();
    if (!in_time) throw Error(Code::unavailable, where + "has not ended in " + std::to_string(hook.timeout) + " s");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    throw Error(Code::internal, where +
                                    (WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                                                       : "signal " + std::to_string(WTERMSIG(status))) +
                                    (said.empty() ? "" : ": " + said));
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

int spawn_hook(const Hook& hook, const Streams& streams) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, streams.in.get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, streams.out.get(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, streams.out.get(), 2);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, hook.path.c_str(), &actions, &attributes, pointers(hook.arguments).data(),
                                    pointers(hook.environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) throw errno_error(hook.where + ": " + hook.path, error);
    return pid;
}

/// By the shim, which enters the namespaces.
void run_inside(const Runtime& runtime, const Hook& hook, runtime::LaunchSpec spec, const std::string& state,
                const Fd& init, uint32_t namespaces) {
    spec.executable = hook.path;
    spec.arguments = hook.arguments;
    spec.environment = hook.environment;
    spec.working_dir = "/";
    spec.flags &= ~static_cast<uint32_t>(shim::kTerminal);
    spec.joins = {{shim::kFirstExtraFd, namespaces}};
    if (namespaces & CLONE_NEWUSER) spec.flags |= shim::kUserNamespace;
    Streams streams(state);
    runtime::PlanWriter writer(spec);
    Fd memory = writer.to_memfd();
    runtime::ShimDialogue dialogue(writer, spec);
    const int pid = runtime::spawn_shim(runtime.shim, "exec",
                                        {streams.in.get(), streams.out.get(), streams.out.get(), memory.get(),
                                         dialogue.shim_end(), init.get()},
                                        {namespaces & CLONE_NEWPID ? init.get() : -1, spec.cgroup_folder})
                        .pid;
    dialogue.close_shim_end();
    try {
        dialogue.await_executing(nullptr);
    } catch (const Error& e) {
        (void)::waitpid(pid, nullptr, 0);
        throw e.with_context(hook.where);
    }
    await_hook(hook, pid, streams);
}

}  // namespace

uint32_t other_namespaces(int pid) {
    const std::pair<const char*, uint32_t> kinds[] = {
        {"mnt", CLONE_NEWNS},  {"uts", CLONE_NEWUTS},       {"ipc", CLONE_NEWIPC},   {"net", CLONE_NEWNET},
        {"pid", CLONE_NEWPID}, {"cgroup", CLONE_NEWCGROUP}, {"user", CLONE_NEWUSER}, {"time", 0x80}};
    uint32_t others = 0;
    for (const auto& [name, flag] : kinds) {
        const std::string of = std::string("/ns/") + name;
        if (file_identity("/proc/" + std::to_string(pid) + of) != file_identity("/proc/self" + of)) others |= flag;
    }
    return others;
}

int inner_pid(int pid) {
    std::istringstream lines(read_file_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/status"));
    int inner = pid;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("NSpid:")) continue;
        std::istringstream numbers(line.substr(6));
        while (numbers >> inner) {
        }
    }
    return inner;
}

void run_hooks(const std::vector<Hook>& hooks, const State& state, Status status, int pid) {
    for (const Hook& hook : hooks) {
        Streams streams(state_json(state, status, pid).dump());
        await_hook(hook, spawn_hook(hook, streams), streams);
    }
}

void run_hooks_inside(const Runtime& runtime, const std::vector<Hook>& hooks, const State& state, Status status,
                      const Fd& init) {
    if (hooks.empty()) return;
    const std::string text = state_json(state, status, inner_pid(state.init.pid)).dump();
    for (const Hook& hook : hooks) {
        runtime::LaunchSpec spec;
        spec.capabilities = runtime::own_capabilities();
        run_inside(runtime, hook, std::move(spec), text, init, other_namespaces(state.init.pid));
    }
}

void run_hooks_confined(const Runtime& runtime, const std::vector<Hook>& hooks, const Config& config,
                        const State& state, const Fd& init) {
    if (hooks.empty()) return;
    runtime::Cgroups cgroups;
    const std::string text = state_json(state, Status::created, inner_pid(state.init.pid)).dump();
    for (const Hook& hook : hooks) {
        runtime::LaunchSpec spec;
        plan_process(*config.process, config, "/proc/" + std::to_string(state.init.pid) + "/root", spec);
        spec.cgroup_path = state.cgroup;
        spec.cgroup_folder = cgroups.v2_folder(state.cgroup);
        spec.cgroup_files = cgroups.files(state.cgroup);
        run_inside(runtime, hook, std::move(spec), text, init, other_namespaces(state.init.pid));
    }
}

}  // namespace kedge::oci
