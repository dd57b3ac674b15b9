#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/container_spec.h"
#include "runtime/containers/placed_mount.h"
#include "runtime/containers/spawn.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kedge::runtime {

class Cgroups;

/// Everything that starting one container needs, all references resolved: the engine's side of an OCI runtime-spec
/// bundle.
struct LaunchRequest {
    std::string id;
    ContainerSpec spec;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  ///< complete, PATH, HOSTNAME and TERM included
    std::string user;
    std::string working_dir;
    std::string hostname;
    std::vector<std::string> layers;  ///< absolute folders, topmost first
    std::string container_folder;  ///< <root>/containers/<id>: has upper/ and work/ for the overlay, hosts, hostname,
                                   ///< resolv.conf, <id>-json.log
    std::string run_folder;        ///< <run>/containers/<id>: config.json, pid, exit, the shim's socket
    std::vector<PlacedMount> mounts;    ///< sorted by depth of target
    std::string cgroup_parent;          ///< relative: `kedge`
    bool new_network_namespace = true;  ///< false: the host's, or `join_network`
    int join_network = -1;              ///< a network namespace to join instead
};

/// A process of a container as the agent knows it. On disk by pid and start time (field 22 of /proc/<pid>/stat, clock
/// ticks).
struct ProcessId {
    int pid = 0;
    uint64_t start_time = 0;
    bool operator==(const ProcessId&) const = default;
};

struct Launched {
    ProcessId shim;
    ProcessId init;  ///< the container's first process
    Fd shim_pidfd;   ///< readable once the shim has ended, which it does after writing the exit record
    Fd init_pidfd;
};

/// How a container ended, as its shim wrote it to <run folder>/exit.
struct ExitRecord {
    int exit_code = 0;  ///< 128 + signal if killed by one
    bool oom_killed = false;
    WallTime finished;
};

/// Starts containers through kedge-shim, and finds them again after the agent was gone. Thread-safe.
class Launcher {
public:
    /// `shim`: path of kedge-shim. `instance`: name under which cgroups are made.
    Launcher(std::string shim, std::string instance);
    ~Launcher();

    /// Writes the bundle, makes the cgroups, spawns the shim; `wire_network` is called with the new network namespace
    /// while the shim mounts (not called without a new one), then `ready`, when all is there and nothing executes yet;
    /// returns once the first process has executed. On failure
    /// nothing is left behind, and the Error is as Docker words it
    /// (`exec: "nosuch": executable file not found in $PATH` ...), `exit_code` then is 126, 127 or 128.
    Launched launch(const LaunchRequest& request, const std::function<void(int netns)>& wire_network,
                    const std::function<void()>& ready, int* exit_code);

    /// A container that a former agent started: empty pidfds if it is no longer running.
    Launched find(const std::string& run_folder) const;

    /// The exit record, if the shim wrote one.
    static bool read_exit(const std::string& run_folder, ExitRecord* record);

    struct ExecRequest {
        std::vector<std::string> arguments;
        std::vector<std::string> environment;  ///< complete
        std::string user;
        std::string working_dir;
        bool privileged = false;
        int in = -1, out = -1, err = -1;  ///< -1: /dev/null
        bool tty = false;                 ///< a terminal in place of these
        unsigned rows = 0, columns = 0;   ///< of the terminal
    };
    /// A further process inside a running container: same namespaces, cgroup, capabilities and seccomp filter. It is a
    /// child of this process.
    struct Exec {
        std::shared_ptr<Child> process;
        Fd terminal;        ///< non-blocking
        std::string error;  ///< why nothing was executed, in Docker's words; it then ends with 126, 127 or 128
    };
    /// `running`: the container as it was launched or found.
    Exec exec(const std::string& id, const Launched& running, const ContainerSpec& spec, const ExecRequest& request);

    /// The machine's control groups, and the path of a container's in them.
    const Cgroups& cgroups() const;
    std::string group(const std::string& id) const;

    /// Sends a signal to every process of the container's cgroup (what a killed init leaves behind in a shared pid
    /// namespace).
    void kill_all(const std::string& id);

    /// Removes the container's cgroups and its run folder. Nothing of it may run any more.
    void clean_up(const std::string& id, const std::string& run_folder);

    /// What this machine can't do and was asked for is not fatal; these are the warnings of the last launch of `id`.
    std::vector<std::string> warnings(const std::string& id) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kedge::runtime
