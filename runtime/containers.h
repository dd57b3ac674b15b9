#pragma once

#include "base/fd.h"
#include "runtime/attachment.h"
#include "runtime/container_info.h"
#include "runtime/container_logs.h"
#include "runtime/container_usage.h"
#include "runtime/execution.h"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

struct StartOptions {
    bool publish_ports = true;  ///< false: a later Containers::take_over_ports does it
};

struct RemoveOptions {
    bool force = false;    ///< kill it first if it runs
    bool volumes = false;  ///< with its anonymous volumes
};

/// What of a container's limits is to change. Fields of `resources` that are 0 or empty stay as they are.
struct ContainerUpdate {
    Resources resources;
    std::optional<int64_t> pids_limit;  ///< 0 or less: none; the one in `resources` says nothing
    std::optional<RestartPolicy> restart;
    bool exact = false;  ///< `resources` is all there is to be, its pids_limit too: what is 0 or empty has no limit
};

/// How far a container's end has come: it neither runs nor is about to; a run has ended that had not yet when somebody
/// began to wait; it is gone. The last comes after all of them.
enum class Until { not_running, next_exit, removed };

/// A container's end that somebody waits for. Thread-safe.
class Ending {
public:
    virtual ~Ending() = default;
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;

    /// Of its last run, 0 if there was none; nothing while it has not come that far.
    virtual std::optional<int> exit_code() const = 0;
    /// `come` is called once it has, at once if it has already: from any thread and only to note it. Null: nobody any
    /// more.
    virtual void tell(std::function<void()> come) = 0;
    /// Blocks until it has. Error cancelled when `stop` is requested.
    virtual int wait(std::stop_token stop = {}) const = 0;

protected:
    Ending() = default;
};

/// A container with this label is probed from outside by whoever watches health: it has a health, first `starting`,
/// even without a healthcheck. What the label says is theirs.
inline constexpr const char* kProbeLabel = "io.kedge.probe";

/// Containers on this machine. Thread-safe. Everywhere `id` may be the full id, a unique prefix of it, or the name;
/// `no such container: x` is Error not_found, an ambiguous prefix is invalid_argument.
class Containers {
public:
    virtual ~Containers() = default;

    /// What create() would refuse of the spec whatever image, networks and containers there are. Error
    /// invalid_argument.
    virtual void check(const ContainerSpec& spec) const = 0;
    /// Checks the spec, makes its volumes, writes it down durably. Returns the id. Errors: conflict when the name is
    /// in use, not_found for the image or a network, invalid_argument for the spec.
    virtual std::string create(const ContainerSpec& spec) = 0;

    /// Starts it; returns once its first process executes. not_modified if it runs already.
    /// What could not be executed is invalid_argument with Docker's words, and the exit code 126 or 127 is recorded;
    /// a port in use is conflict.
    virtual void start(const std::string& id, const StartOptions& options = {}) = 0;

    /// The signal (empty: the container's stop signal), after the grace time (default: the spec's) SIGKILL. Returns
    /// when it is gone. not_modified if it isn't running.
    virtual void stop(const std::string& id, std::optional<int> timeout_seconds = {},
                      const std::string& signal = {}) = 0;
    virtual void kill(const std::string& id, const std::string& signal = "KILL") = 0;
    virtual void restart(const std::string& id, std::optional<int> timeout_seconds = {},
                         const std::string& signal = {}) = 0;
    /// Stops all its processes where they are, until unpause(): error conflict if it is paused or doesn't run. Nothing
    /// can be executed in it; the stop signal and SIGKILL, whoever sends them, let it go.
    virtual void pause(const std::string& id) = 0;
    virtual void unpause(const std::string& id) = 0;
    /// Changes the limits, also of a running container, and the restart policy. Returns what is not in force on this
    /// machine. Errors: invalid_argument for what create() would refuse, conflict for what contradicts the limits that
    /// it has; then everything is as it was.
    virtual std::vector<std::string> update(const std::string& id, const ContainerUpdate& update) = 0;
    virtual void remove(const std::string& id, const RemoveOptions& options = {}) = 0;
    virtual void rename(const std::string& id, const std::string& new_name) = 0;

    /// Waits for its end from now on.
    virtual std::unique_ptr<Ending> await(const std::string& id, Until until) = 0;
    /// Blocks until it is not running (at once if it isn't); its exit code. Error cancelled when `stop` is requested.
    int wait(const std::string& id, std::stop_token stop = {}) { return await(id, Until::not_running)->wait(stop); }

    ContainerInfo inspect(const std::string& id) const { return *snapshot(id); }
    /// The same without a copy: what it points to never changes.
    virtual std::shared_ptr<const ContainerInfo> snapshot(const std::string& id) const = 0;
    /// Looks at every file that it wrote: it takes its time.
    virtual ContainerSize size(const std::string& id) const = 0;
    /// All of them, newest first.
    virtual std::vector<ContainerInfo> list() const = 0;
    /// The same without copies, for who looks at all of them often: what they point to never changes.
    virtual std::vector<std::shared_ptr<const ContainerInfo>> snapshots() const = 0;

    /// Its processes, ascending. Error conflict if it doesn't run.
    virtual std::vector<ProcessInfo> processes(const std::string& id) = 0;
    /// What it uses now. Error conflict if it doesn't run.
    virtual ContainerUsage usage(const std::string& id) const = 0;

    /// Calls `sink` per line until the end of the log, with `follow` until the container has exited or `stop`.
    /// `sink` returns false to end.
    virtual void logs(const std::string& id, const LogOptions& options, const LogSink& sink,
                      std::stop_token stop = {}) = 0;
    /// The same without a thread that waits. `changed` is called, from any thread and only to note it, whenever there
    /// may be more to read, until the follower is gone. At the time `until` nobody calls. Without `follow` the log ends
    /// where it does now.
    virtual std::unique_ptr<LogFollower> follow(const std::string& id, const LogOptions& options,
                                                std::function<void()> changed) = 0;

    /// Attaches to the run in progress or, if there is none, to the next one, of which nothing is missed. Error
    /// conflict when it is paused or between two runs; resource_exhausted when sixteen are attached.
    virtual std::unique_ptr<Attachment> attach(const std::string& id, const AttachOptions& options) = 0;

    /// The size of its terminal in characters; without one nothing happens. Error conflict if it isn't running.
    virtual void resize(const std::string& id, unsigned rows, unsigned columns) = 0;

    /// Runs a command inside the running container and waits for it. Past `timeout` it is killed.
    virtual ExecResult exec(const std::string& id, const ExecSpec& spec, Nanoseconds timeout, size_t output_limit,
                            std::stop_token stop = {}) = 0;

    /// The same with the caller's own descriptors as standard streams (any may be -1: /dev/null), of which it gets
    /// copies; with a terminal that is its only stream. Returns once it executes, or can't be: why is written to `err`,
    /// or with a terminal to `out`.
    virtual std::unique_ptr<Execution> begin_exec(const std::string& id, const ExecSpec& spec, int in, int out,
                                                  int err) = 0;

    /// What a health monitor found; publishes `health_status: ...` when the status changed. Kept in memory; in the
    /// store with every change of the status, and of the failing streak while that still decides something. `run`: the
    /// ContainerInfo::started that it was found of. When that run is over, or its first process is ending (which fails
    /// probes that say nothing of the container), nothing is changed. False: not taken.
    virtual bool set_health(const std::string& id, const Health& health, std::optional<WallTime> run = {}) = 0;

    /// Moves every published port of `from` to the running container `to`, as far as its spec publishes them too, in
    /// one nftables transaction: at no instant is such a port without a container behind it. Others of `from` are
    /// closed.
    virtual void take_over_ports(const std::string& from, const std::string& to) = 0;

    /// Joins a network, at once if it runs, and at each start from now on. Errors in Docker's words: not_found for the
    /// network, permission_denied when it is joined already or its mode does not allow it, conflict when the address is
    /// taken.
    virtual void connect_network(const std::string& id, const NetworkAttachment& network) = 0;
    /// The opposite. `force`: what fails on the way is only logged.
    virtual void disconnect_network(const std::string& id, const std::string& network, bool force = false) = 0;

    /// A folder of the container's first process' view can be reached as /proc/<pid>/root only by the caller's care;
    /// this opens its network namespace instead, for probes from inside it. Error conflict if it isn't running.
    virtual Fd network_namespace(const std::string& id) const = 0;
};

}  // namespace kedge::runtime
