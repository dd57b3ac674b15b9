#include "runtime/containers/launcher.h"

#include "base/durable.h"
#include "base/error.h"
#include "runtime/containers/capabilities.h"
#include "runtime/containers/launch_build.h"
#include "runtime/containers/launch_bundle.h"
#include "runtime/containers/launch_dialogue.h"
#include "runtime/containers/launch_plan_writer.h"
#include "runtime/containers/launch_process.h"
#include "runtime/containers/launch_words.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <sstream>
#include <thread>

namespace kedge::runtime {

struct Launcher::State {
    State(std::string shim_path, std::string instance_name)
        : shim(std::move(shim_path)),
          instance(std::move(instance_name)),
          null(open_at(AT_FDCWD, "/dev/null", O_RDWR)) {}

    std::string shim;
    std::string instance;
    Fd null;
    Cgroups cgroups;
    SeccompFilters filters;

    std::mutex mutex;
    std::map<std::string, std::string> groups;                 ///< id: cgroup path
    std::map<std::string, std::vector<std::string>> warnings;  ///< id: of its last launch
    std::map<std::string, int> children;                       ///< id: shim that is this process' child, to be reaped

    std::string group_of(const LaunchRequest& request) {
        std::string parent = request.cgroup_parent.empty() ? instance : request.cgroup_parent;
        while (parent.starts_with("/")) parent.erase(0, 1);
        if (parent.empty() || ("/" + parent + "/").find("/../") != std::string::npos) {
            throw Error(Code::invalid_argument, "invalid cgroup parent \"" + request.cgroup_parent + "\"");
        }
        std::lock_guard lock(mutex);
        return groups[request.id] = parent + "/" + request.id;
    }

    std::string group_of(const std::string& id) {
        std::lock_guard lock(mutex);
        auto found = groups.find(id);
        return found != groups.end() ? found->second : instance + "/" + id;
    }

    /// What a shim leaves behind is its parent's to take; nobody else waits for it.
    void reap(const std::string& id) {
        std::lock_guard lock(mutex);
        auto child = children.find(id);
        if (child == children.end()) return;
        int status = 0;
        if (::waitpid(child->second, &status, WNOHANG) != 0) children.erase(child);
    }
};

namespace {

constexpr int kGraceMilliseconds = 10000;

/// Of a process that has failed already, and is gone with its namespace, the dialogue knows why.
Fd open_network_namespace(const Launched& started, ShimDialogue& dialogue, int* exit_code) {
    try {
        return open_at(AT_FDCWD, "/proc/" + std::to_string(started.init.pid) + "/ns/net", O_RDONLY);
    } catch (const Error& e) {
        // Its namespaces go a moment before it has ended.
        bool may_live = e.code() == Code::resource_exhausted;
        if (!may_live && await_end(started.init_pidfd.get(), kGraceMilliseconds)) dialogue.await_executing(exit_code);
        throw;
    }
}

void end_process(int pidfd) {
    (void)::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
}

/// Ends what was started of a container that failed, so that nothing of it is left.
void end_start(Launched& started, int shim_pid) {
    if (started.init_pidfd) end_process(started.init_pidfd.get());
    const int shim = started.shim_pidfd.get();
    if (!await_end(shim, started.init_pidfd ? kGraceMilliseconds : 0)) {
        end_process(shim);
        (void)await_end(shim, kGraceMilliseconds);
    }
    int status = 0;
    (void)::waitpid(shim_pid, &status, 0);
    if (started.init_pidfd) (void)await_end(started.init_pidfd.get(), kGraceMilliseconds);
}

/// One that has been hung up on ends by itself.
void end_exec(Child& exec) {
    if (!await_end(exec.pidfd().get(), kGraceMilliseconds)) end_process(exec.pidfd().get());
    (void)await_end(exec.pidfd().get(), kGraceMilliseconds);
    (void)exec.exit_code();
}

}  // namespace

Launcher::Launcher(std::string shim, std::string instance)
    : state_(std::make_unique<State>(std::move(shim), std::move(instance))) {}

Launcher::~Launcher() {
    state_->cgroups.remove_parent(state_->instance);
}

Launched Launcher::launch(const LaunchRequest& request, const std::function<void(int netns)>& wire_network,
                          const std::function<void()>& ready, int* exit_code) {
    if (exit_code) *exit_code = shim::kCannotStart;
    state_->reap(request.id);
    std::string group = state_->group_of(request);
    std::vector<Fd> joins;
    LaunchSpec spec = build_launch(request, state_->cgroups, group, state_->filters, state_->shim, joins);
    PlanWriter plan(spec);
    Fd memory = plan.to_memfd();
    make_folders(AT_FDCWD, request.run_folder + "/rootfs");
    for (const char* old : {"/exit", "/pid"}) (void)::unlink((request.run_folder + old).c_str());

    Launched started;
    int shim_pid = 0;
    try {
        ShimDialogue dialogue(plan, spec);
        std::vector<int> descriptors{state_->null.get(), state_->null.get(), state_->null.get(), memory.get(),
                                     dialogue.shim_end()};
        for (const Fd& join : joins) descriptors.push_back(join.get());
        Spawned shim = spawn_shim(state_->shim, "run", descriptors);
        dialogue.close_shim_end();
        shim_pid = shim.pid;
        started.shim_pidfd = std::move(shim.pidfd);
        // Meanwhile the shim gets ready.
        state_->cgroups.make(group, request.spec.resources, spec.device_rules, spec.warnings);
        state_->cgroups.fix_limits(group, request.spec.fixed_limits, spec.warnings);
        dialogue.let_go();
        dialogue.await_spawned(started);
        if (request.new_network_namespace && wire_network) {
            Fd network = open_network_namespace(started, dialogue, exit_code);
            wire_network(network.get());
        }
        write_bundle(request, spec);
        if (ready) ready();
        dialogue.let_go();
        dialogue.await_executing(exit_code);
    } catch (...) {
        if (shim_pid > 0) end_start(started, shim_pid);
        try {
            state_->cgroups.remove(group);
            remove_tree(AT_FDCWD, request.run_folder);
        } catch (const Error&) {
            // Why it could not start is what the caller has to know.
        }
        throw;
    }
    std::lock_guard lock(state_->mutex);
    state_->children[request.id] = shim_pid;
    state_->warnings[request.id] = std::move(spec.warnings);
    if (exit_code) *exit_code = 0;
    return started;
}

Launched Launcher::find(const std::string& run_folder) const {
    PidFile file;
    Launched found;
    if (!read_pid_file(run_folder, &file)) return found;
    if (!file.cgroup.empty()) {
        std::lock_guard lock(state_->mutex);
        state_->groups[file.cgroup.substr(file.cgroup.rfind('/') + 1)] = file.cgroup;
    }
    found.shim_pidfd = open_process(file.shim);
    found.init_pidfd = open_process(file.init);
    if (found.shim_pidfd) found.shim = file.shim;
    if (found.init_pidfd) found.init = file.init;
    return found;
}

bool Launcher::read_exit(const std::string& run_folder, ExitRecord* record) {
    std::string text;
    try {
        text = read_file_at(AT_FDCWD, run_folder + "/exit", 4096);
    } catch (const Error& e) {
        if (e.code() == Code::not_found) return false;
        throw;
    }
    std::istringstream words(text);
    std::string code_key, oom_key, time_key, time;
    int code = 0, oom = 0;
    if (!(words >> code_key >> code >> oom_key >> oom >> time_key >> time) || code_key != "code" || time_key != "time")
        return false;
    record->exit_code = code;
    record->oom_killed = oom != 0;
    record->finished = parse_time(time);
    return true;
}

Launcher::Exec Launcher::exec(const std::string& id, const Launched& running, const ContainerSpec& container,
                              const ExecRequest& request) {
    if (!running.init_pidfd || await_end(running.init_pidfd.get(), 0))
        throw Error(Code::conflict, "the container is not running");
    const std::string group = state_->group_of(id);
    LaunchSpec spec;
    spec.joins.push_back({shim::kFirstExtraFd,
                          CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP});
    spec.cgroup_path = group;
    spec.cgroup_files = state_->cgroups.files(group);
    if (request.tty) spec.flags |= shim::kTerminal;
    spec.terminal_rows = request.rows;
    spec.terminal_columns = request.columns;
    spec.whole_plan = shim::kFirstExtraFd + 1;
    const PlanWriter entry(spec);
    const Fd entry_memory = entry.to_memfd(), memory = PlanWriter::make_memfd();
    ShimDialogue dialogue(entry, spec);
    auto stream = [&](int fd) { return fd >= 0 ? fd : state_->null.get(); };
    Exec result;
    try {
        result.process = std::make_shared<Child>(
            spawn_shim(state_->shim, "exec",
                       {stream(request.in), stream(request.out), stream(request.err), entry_memory.get(),
                        dialogue.shim_end(), running.init_pidfd.get(), memory.get()},
                       {running.init_pidfd.get(), state_->cgroups.v2_folder(group)}));
    } catch (const Error&) {
        // Its namespaces and groups go a moment before it has ended.
        constexpr int kMoment = 200;
        if (!await_end(running.init_pidfd.get(), kMoment)) throw;
        throw Error(Code::conflict, "the container is not running");
    }
    dialogue.close_shim_end();
    std::optional<PlanWriter> whole;
    try {
        // Meanwhile it enters the container.
        build_exec(container, request, running.init.pid, state_->filters, spec);
        whole.emplace(spec);
        whole->write_to(memory.get());
    } catch (...) {
        dialogue.hang_up();
        end_exec(*result.process);
        throw;
    }
    dialogue.follow(*whole);
    dialogue.let_go();
    try {
        dialogue.await_executing(nullptr, &result.terminal);
    } catch (const Error& e) {
        result.error = e.what();
    }
    return result;
}

const Cgroups& Launcher::cgroups() const {
    return state_->cgroups;
}

std::string Launcher::group(const std::string& id) const {
    return state_->group_of(id);
}

void Launcher::kill_all(const std::string& id) {
    state_->cgroups.kill(state_->group_of(id));
}

void Launcher::clean_up(const std::string& id, const std::string& run_folder) {
    state_->reap(id);
    PidFile file;
    std::string group = state_->group_of(id);
    if (read_pid_file(run_folder, &file) && file.cgroup.ends_with("/" + id)) group = file.cgroup;
    state_->cgroups.remove(group);
    remove_tree(AT_FDCWD, run_folder);
    std::lock_guard lock(state_->mutex);
    state_->groups.erase(id);
    state_->warnings.erase(id);
}

std::vector<std::string> Launcher::warnings(const std::string& id) const {
    std::lock_guard lock(state_->mutex);
    auto found = state_->warnings.find(id);
    return found == state_->warnings.end() ? std::vector<std::string>() : found->second;
}

}  // namespace kedge::runtime
