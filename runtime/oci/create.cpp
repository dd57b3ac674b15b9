#include "base/clock.h"
#include "base/error.h"
#include "runtime/containers/launch_process.h"
#include "runtime/oci/commands.h"
#include "runtime/oci/plan.h"
#include "runtime/oci/shim_call.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kedge::oci {

namespace {

constexpr size_t kConfigLimit = 32u << 20;

std::string read_config(const std::string& bundle) {
    const std::string path = bundle + "/config.json";
    Fd file = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
        throw Error(Code::invalid_argument, path + " is not a file");
    try {
        return read_all(file.get(), kConfigLimit);
    } catch (const Error& e) {
        throw e.with_context(path);
    }
}

/// A container without a program can be made, but not started.
const Process& process_of(const Config& config) {
    static const Process none = [] {
        Process process;
        process.arguments = {"/"};
        process.working_dir = "/";
        return process;
    }();
    return config.process ? *config.process : none;
}

void check_terminal(const Config& config, const CreateOptions& options) {
    const bool terminal = process_of(config).terminal;
    if (terminal && options.console_socket.empty() && !options.foreground)
        throw Error(Code::invalid_argument, "process.terminal: a console socket is needed (--console-socket)");
    if (!terminal && !options.console_socket.empty())
        throw Error(Code::invalid_argument, "--console-socket: process.terminal is not set");
}

/// One start on its way, and what has to be undone if it fails.
struct Making {
    const Runtime& runtime;
    const CreateOptions& options;
    Config config;
    Bundle bundle;
    runtime::Cgroups cgroups;
    StateFolder folder;
    State state;
    Fd pidfd;
    bool hooks_ran = false;
};

void make_groups(Making& m) {
    m.state.cgroup = cgroup_path(m.config, m.state.id);
    m.state.cgroup_was_there = m.cgroups.exists(m.state.cgroup);
    for (size_t slash = m.state.cgroup.rfind('/'); slash != std::string::npos && slash > 0;
         slash = m.state.cgroup.rfind('/', slash - 1)) {
        const std::string parent = m.state.cgroup.substr(0, slash);
        if (m.cgroups.exists(parent)) break;
        m.state.made_parents.push_back(parent);
    }
    m.folder.save(m.state);
    m.cgroups.make_groups(m.state.cgroup, true);
    if (m.state.cgroup_was_there && !m.cgroups.processes(m.state.cgroup).empty()) {
        m.state.cgroup.clear();  // it is somebody else's
        throw Error(Code::conflict, "config.json: linux.cgroupsPath: the control group has processes in it already");
    }
    apply_resources(m.cgroups, m.state.cgroup, m.config.resources);
    apply_device_rules(m.cgroups, m.state.cgroup,
                       m.config.resources.devices.value_or(std::vector<runtime::DeviceRule>()));
}

Launch plan(const Making& m) {
    Launch launch;
    runtime::LaunchSpec& spec = launch.spec;
    spec.cgroup_path = m.state.cgroup;
    spec.cgroup_folder = m.cgroups.v2_folder(m.state.cgroup);
    spec.cgroup_files = m.cgroups.files(m.state.cgroup);
    plan_process(process_of(m.config), m.config, m.bundle.root, spec);
    if (!m.config.process) spec.executable = "/";
    plan_namespaces(m.config, launch);
    plan_mounts(m.config, m.bundle, m.cgroups, launch);
    spec.listener = launch.add(m.folder.listen());
    if (m.options.new_keyring) spec.keyring = "_ses." + m.state.id;
    add_preserved(m.options.preserved, launch);
    return launch;
}

/// The first process lives once its shim has ended. From then on, whoever takes in orphans is its parent.
runtime::Launched await_process_of(ShimCall& call) {
    runtime::Launched started;
    try {
        call.dialogue().await_spawned(started);
    } catch (...) {
        (void)::waitpid(call.shim().pid, nullptr, 0);
        throw;
    }
    (void)::waitpid(call.shim().pid, nullptr, 0);
    return started;
}

/// What has to be known of the first process is written down before it goes on.
void adopt(Making& m, runtime::Launched started) {
    m.state.init = started.init;
    m.pidfd = std::move(started.init_pidfd);
    m.folder.save(m.state);
    if (m.config.has_new(CLONE_NEWUSER)) write_id_mappings(m.config.mappings, m.state.init.pid);
}

void run_create_hooks(Making& m) {
    const Hooks& hooks = m.config.hooks;
    m.hooks_ran = true;
    run_hooks(hooks.prestart, m.state, Status::creating, m.state.init.pid);
    run_hooks(hooks.create_runtime, m.state, Status::creating, m.state.init.pid);
    run_hooks_inside(m.runtime, hooks.create_container, m.state, Status::creating, m.pidfd);
}

Fd make(Making& m) {
    make_groups(m);
    Launch launch = plan(m);
    ShimCall call(m.runtime, "create", launch);
    runtime::ShimDialogue& dialogue = call.dialogue();
    Fd terminal;
    adopt(m, await_process_of(call));
    dialogue.let_go();
    dialogue.await(shim::MessageKind::prepared, nullptr, nullptr);
    set_from_outside(process_of(m.config), m.state.init.pid);
    run_create_hooks(m);
    dialogue.let_go();
    dialogue.await(shim::MessageKind::ready, &terminal, nullptr);
    for (const std::string& warning : launch.spec.warnings) m.runtime.warn(warning);
    return terminal;
}

void undo(Making& m) {
    if (m.pidfd) (void)::syscall(SYS_pidfd_send_signal, m.pidfd.get(), SIGKILL, nullptr, 0);
    try {
        destroy(m.runtime, m.folder, m.state, m.hooks_ran);
    } catch (const Error& e) {
        m.runtime.warn(e.what());  // why it could not be made is what the caller has to know
    }
}

}  // namespace

void add_preserved(int count, Launch& launch) {
    for (int i = 0; i < count; i++) {
        Fd copy(::fcntl(3 + i, F_DUPFD_CLOEXEC, 3));
        if (!copy) throw_errno("--preserve-fds: descriptor " + std::to_string(3 + i));
        const int number = launch.add(std::move(copy));
        if (i == 0) launch.spec.first_preserved = number;
    }
    launch.spec.preserved = static_cast<uint32_t>(count);
}

Created create(const Runtime& runtime, const std::string& id, const CreateOptions& options) {
    check_id(id);
    const std::string text = read_config(options.bundle);
    Config config = parse_config(text);
    check_terminal(config, options);
    Bundle bundle = open_bundle(options.bundle, config);
    for (const std::string& warning : config.warnings) runtime.warn(warning);
    Making m{runtime, options, std::move(config), std::move(bundle), {}, StateFolder::make(runtime.root, id), {}, {}};
    m.folder.lock();
    m.state.id = id;
    m.state.bundle = m.bundle.folder;
    m.state.root = m.bundle.root;
    m.state.annotations = m.config.annotations;
    m.state.created = format_time(wall_now());
    m.state.creator = {::getpid(), runtime::process_start_time(::getpid())};
    m.state.program = file_identity(runtime.shim);
    Created created;
    try {
        m.folder.save_config(text);
        created.terminal = make(m);
        if (created.terminal && !options.console_socket.empty()) {
            send_terminal(options.console_socket, created.terminal);
            created.terminal.reset();
        }
        if (!options.pid_file.empty()) write_pid_file(options.pid_file, m.state.init.pid);
        m.state.creator = {};
        m.folder.save(m.state);
    } catch (...) {
        undo(m);
        throw;
    }
    created.init = m.state.init;
    created.pidfd = std::move(m.pidfd);
    return created;
}

}  // namespace kedge::oci
