#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/oci/config.h"
#include "runtime/oci/json_field.h"
#include "runtime/oci/state.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

/// What an OCI runtime does, one function for each of its commands. All throw Error.
namespace kedge::oci {

struct Runtime {
    std::string root;  ///< where the containers' states are
    std::string shim;  ///< the program kedge-shim
    std::function<void(const std::string&)> warn;
};

struct CreateOptions {
    std::string bundle = ".";
    std::string console_socket;
    std::string pid_file;
    int preserved = 0;  ///< descriptors from 3 on that the process is to have
    bool new_keyring = true;
    bool foreground = false;  ///< of run: a terminal without a console socket is given back
};

struct Created {
    runtime::ProcessId init;
    Fd pidfd;
    Fd terminal;  ///< in the foreground
};
Created create(const Runtime& runtime, const std::string& id, const CreateOptions& options);
void start(const Runtime& runtime, const std::string& id);

/// Of a stopped one; `force`: of any, and what isn't there is fine.
void remove(const Runtime& runtime, const std::string& id, bool force);
void kill(const Runtime& runtime, const std::string& id, int signal, bool all);
void pause(const Runtime& runtime, const std::string& id);
void resume(const Runtime& runtime, const std::string& id);
/// `resources`: JSON as linux.resources is.
void update(const Runtime& runtime, const std::string& id, const std::string& resources);

struct ExecOptions {
    std::optional<Process> process;  ///< of a file; else the container's own, with what follows
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  ///< over that of the container
    std::string working_dir, user, apparmor_profile;
    std::vector<std::string> capabilities, groups;
    bool terminal = false, no_new_privileges = false, ignore_paused = false;
    bool detach = false;
    std::string console_socket, pid_file;
    int preserved = 0;
};
/// In the foreground the process is this one's to wait for, and its terminal is given back.
Created exec(const Runtime& runtime, const std::string& id, const ExecOptions& options);

Json state(const Runtime& runtime, const std::string& id);
std::vector<int> processes(const Runtime& runtime, const std::string& id);
/// Of every container, with the states that can't be read left out.
std::vector<Json> list(const Runtime& runtime);
/// The counters of its control group, as `runc events --stats` has them.
Json stats(const Runtime& runtime, const std::string& id);
/// That, again after each interval until the container ends, and whenever it was short of memory meanwhile.
void watch(const Runtime& runtime, const std::string& id, Nanoseconds interval, bool once,
           const std::function<void(const std::string&)>& print);
Json features();
/// A configuration to begin with.
Json default_config();

// What the commands share.

/// As a hook, an exec or a create has gone: writes the pid where the caller looks for it.
void write_pid_file(const std::string& path, int pid);
/// Hands the terminal's master to whoever listens there, as runc does.
void send_terminal(const std::string& socket_path, const Fd& terminal);

/// Tells the seccomp agent of the configuration about a process whose filter has this listener (runtime-spec, "The
/// Container Process State"). Throws Error.
void send_seccomp_listener(const Config& config, const State& state, Status status, int pid, const Fd& listener);

/// Runs hooks in this process' namespaces one after the other. Throws Error that names the hook which failed.
void run_hooks(const std::vector<Hook>& hooks, const State& state, Status status, int pid);
/// The same in those of a process: `init` in all that it has. The program is one of the host's.
void run_hooks_inside(const Runtime& runtime, const std::vector<Hook>& hooks, const State& state, Status status,
                      const Fd& init);
/// The same with what the container's own process may do; the program is one of the container's.
void run_hooks_confined(const Runtime& runtime, const std::vector<Hook>& hooks, const Config& config,
                        const State& state, const Fd& init);

/// CLONE_NEW* of all namespaces that the process has and this one hasn't.
uint32_t other_namespaces(int pid);
/// The pid of a process in its own pid namespace.
int inner_pid(int pid);

/// Ends what is left of a container and takes away everything that was made for it; then its poststop hooks.
/// `hooks`: whether they are run.
void destroy(const Runtime& runtime, const StateFolder& folder, const State& state, bool hooks);

}  // namespace kedge::oci
