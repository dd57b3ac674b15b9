// start, kill, delete, pause, resume.
#include "base/error.h"
#include "runtime/containers/launch_dialogue.h"
#include "runtime/containers/launch_process.h"
#include "runtime/oci/commands.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kedge::oci {

namespace {

constexpr int kPatience = 10000;  // milliseconds until a killed process has ended

/// A container as it is now; nobody else changes it meanwhile if it is locked.
struct Found {
    StateFolder folder;
    State state;
    runtime::Cgroups cgroups;
    Status status = Status::stopped;

    Found(const Runtime& runtime, const std::string& id, bool lock) : folder(StateFolder::open(runtime.root, id)) {
        if (lock) folder.lock();
        state = folder.load();
        status = status_of(state, cgroups);
    }
};

/// Gone already is as good.
void send(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0 && errno != ESRCH)
        throw_errno("send signal " + std::to_string(signal));
}

void end_process(const runtime::ProcessId& process) {
    Fd pidfd = runtime::open_process(process);
    if (!pidfd) return;
    send(pidfd.get(), SIGKILL);
    (void)runtime::await_end(pidfd.get(), kPatience);  // control groups are what tells if it doesn't
}

/// As runtime-spec has it when a hook fails: the container is stopped and destroyed.
template <typename Run>
void run_or_destroy(const Runtime& runtime, const Found& found, Run&& run) {
    try {
        run();
    } catch (...) {
        try {
            destroy(runtime, found.folder, found.state, true);
        } catch (const Error& e) {
            runtime.warn(e.what());
        }
        throw;
    }
}

std::vector<Hook> poststop_hooks(const StateFolder& folder) {
    try {
        return parse_config(folder.config()).hooks.poststop;
    } catch (const Error&) {
        return {};  // its maker ended before it had written it
    }
}

}  // namespace

void destroy(const Runtime& runtime, const StateFolder& folder, const State& state, bool hooks) {
    const std::vector<Hook> poststop = hooks ? poststop_hooks(folder) : std::vector<Hook>();
    runtime::Cgroups cgroups;
    if (!state.cgroup.empty()) cgroups.thaw(state.cgroup);  // on v1 the frozen don't die
    end_process(state.init);
    if (!state.cgroup.empty()) {
        if (state.cgroup_was_there)
            cgroups.kill(state.cgroup);
        else
            cgroups.remove(state.cgroup);
        for (const std::string& parent : state.made_parents) cgroups.remove_parent(parent);
    }
    folder.remove();
    for (const Hook& hook : poststop) {
        try {
            run_hooks({hook}, state, Status::stopped, 0);
        } catch (const Error& e) {
            runtime.warn(e.what());
        }
    }
}

void start(const Runtime& runtime, const std::string& id) {
    const Found found(runtime, id, true);
    const Config config = parse_config(found.folder.config());
    if (found.status != Status::created)
        throw Error(Code::conflict,
                    std::string("cannot start a container that is ") +
                        (found.status == Status::running ? "already running" : to_string(found.status)));
    if (!config.process) throw Error(Code::invalid_argument, "config.json: process: is missing");
    Fd init = runtime::open_process(found.state.init);
    run_or_destroy(runtime, found,
                   [&] { run_hooks_confined(runtime, config.hooks.start_container, config, found.state, init); });
    runtime::LaunchSpec spec;
    spec.arguments = config.process->arguments;
    runtime::ShimDialogue dialogue(found.folder.connect(), spec);
    // With calls that nobody decides it must not go on.
    dialogue.hand_listener_to([&](Fd listener) {
        run_or_destroy(runtime, found, [&] {
            send_seccomp_listener(config, found.state, Status::created, found.state.init.pid, listener);
        });
    });
    dialogue.await_executing(nullptr);
    found.folder.forget_listener();
    for (const std::string& warning : spec.warnings) runtime.warn(warning);
    run_or_destroy(runtime, found,
                   [&] { run_hooks(config.hooks.poststart, found.state, Status::running, found.state.init.pid); });
}

void kill(const Runtime& runtime, const std::string& id, int signal, bool all) {
    const Found found(runtime, id, false);
    if (found.status == Status::creating || found.state.cgroup.empty())
        throw Error(Code::conflict, "container not running: it is being made");
    if (all) {
        if (signal == SIGKILL) return found.cgroups.kill(found.state.cgroup);
        for (int pid : found.cgroups.processes(found.state.cgroup)) {
            Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
            if (pidfd) send(pidfd.get(), signal);
        }
        return;
    }
    Fd init = runtime::open_process(found.state.init);
    if (!init || found.status == Status::stopped) throw Error(Code::conflict, "container not running");
    send(init.get(), signal);
    if (signal == SIGKILL && found.status == Status::paused) found.cgroups.thaw(found.state.cgroup);
}

void remove(const Runtime& runtime, const std::string& id, bool force) {
    try {
        const Found found(runtime, id, true);
        if (found.status != Status::stopped && !force)
            throw Error(Code::conflict,
                        "cannot delete container " + id + " that is not stopped: " + to_string(found.status),
                        "kedge oci delete --force " + id);
        destroy(runtime, found.folder, found.state, true);
    } catch (const Error& e) {
        if (!force || e.code() != Code::not_found) throw;
    }
}

void pause(const Runtime& runtime, const std::string& id) {
    const Found found(runtime, id, true);
    if (found.status != Status::running && found.status != Status::created)
        throw Error(Code::conflict, std::string("container not running: it is ") + to_string(found.status));
    found.cgroups.freeze(found.state.cgroup);
}

void resume(const Runtime& runtime, const std::string& id) {
    const Found found(runtime, id, true);
    if (!found.cgroups.is_frozen(found.state.cgroup))
        throw Error(Code::conflict, std::string("container not paused: it is ") + to_string(found.status));
    found.cgroups.thaw(found.state.cgroup);
}

void update(const Runtime& runtime, const std::string& id, const std::string& text) {
    const Json json = parse_json(text, "resources");
    const Resources resources = parse_resources(Field(json, "resources: "));
    const Found found(runtime, id, true);
    if (found.status == Status::stopped) throw Error(Code::conflict, "container not running");
    if (resources.devices)
        throw Error(Code::invalid_argument, "resources: devices: can't be changed of a container that runs");
    apply_resources(found.cgroups, found.state.cgroup, resources);
}

}  // namespace kedge::oci
