#pragma once

#include "base/clock.h"
#include "runtime/containers.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {
class Engine;
}

namespace kedge::health {

/// A probe that the agent makes from inside the container's network namespace, for images without a shell
/// (`x-kedge: {probe: ...}`). Rendered as a label on the container so that it survives with it: kProbeLabel holds
/// to_label().
struct NetworkProbe {
    enum class Kind { http, tcp };
    Kind kind = Kind::tcp;
    uint16_t port = 0;
    std::string path = "/";                                    ///< http only
    int expected_status_from = 200, expected_status_to = 399;  ///< http only, both included
    std::map<std::string, std::string> headers;                ///< http only
    bool operator==(const NetworkProbe&) const = default;

    /// `{"kind":"http","port":8080,"path":"/health","status_from":200,"status_to":399,"headers":{}}`; for tcp only kind
    /// and port. The same probe gives the same text. Throws Error (invalid_argument) for what is not UTF-8.
    std::string to_label() const;
    /// Strict: what could not be sent as it is, is out of range or is not known is Error (invalid_argument) that names
    /// it. Only kind and port have to be there.
    static NetworkProbe from_label(const std::string& text);
};
using runtime::kProbeLabel;

/// Whether somebody watches the container's health: by its healthcheck, or by a kProbeLabel that its maker (not its
/// image) gave it. Where both are there, the label is what is probed.
bool is_probed(const runtime::ContainerInfo& info);

/// Runs the probes of every running container that has a healthcheck (or kProbeLabel, timed by its healthcheck's
/// interval, timeout, start_period, start_interval, retries) and tells Containers::set_health. Follows engine events;
/// containers that are there at construction are taken over with the health that they had. Timing is Docker's
/// (schedule.h). What is paused is not probed. Nothing wakes up without a probe due.
///
/// Probes run on a pool (timetable.h): `threads` stay ready while there are probes to make, more join while that many
/// are busy.
class Monitor {
public:
    /// The engine has to outlive it.
    explicit Monitor(runtime::Engine& engine, int threads = 2);
    ~Monitor();  ///< ends probes in progress; they say nothing of their containers

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// What is to be said of a container during and after a rollout.
enum class State {
    waiting,    ///< not decided: not started, starting, paused, or inside the monitor time
    healthy,    ///< its probe says so
    observed,   ///< no probe; it ran through the monitor time without an exit or restart
    completed,  ///< exited with 0 and isn't meant to run on (restart `no` or `on-failure`)
    unhealthy,  ///< its probe says so
    crashed,    ///< exited (or restarted, or never started, or was stopped by hand) though it should run
};
std::string_view to_string(State state);

struct ContainerVerdict {
    State state = State::waiting;
    std::string
        reason;  ///< `exited with code 3 2 times in 10s`, `probe failed 3 times: <last output>`; one line of UTF-8
};

/// Pure. `info` now; `baseline_restarts`: its restart count when the monitor time began at `since`. A count below it
/// means that somebody started the container by hand meanwhile, which begins the count, and `monitor`, anew.
///
/// `monitor` (Compose's deploy.update_config.monitor) is how long a container without a probe has to run, from `since`
/// or from its start if that is later. A probe knows better than the clock: a container that has one is healthy as soon
/// as its probe says so, even before `monitor` is over, and is waited for until then, even after it. An exit or restart
/// fails either kind, whatever the probe says afterwards.
ContainerVerdict judge(const runtime::ContainerInfo& info, int baseline_restarts, WallTime since, Nanoseconds monitor,
                       WallTime now);

}  // namespace kedge::health
