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

/// A probe that the agent makes from inside the container's network namespace, for images without a shell (`x-kedge: {probe: ...}`). Rendered as labels on the container
/// so that it survives with it: kProbeLabel holds to_label().
struct NetworkProbe {
    enum class Kind { http, tcp };
    Kind kind = Kind::tcp;
    uint16_t port = 0;
    std::string path = "/";  ///< http only
    int expected_status_from = 200, expected_status_to = 399;  ///< http only, both included
    std::map<std::string, std::string> headers;
    bool operator==(const NetworkProbe&) const = default;

    std::string to_label() const;
    static NetworkProbe from_label(const std::string& text);  ///< throws Error
};
inline constexpr const char* kProbeLabel = "io.kedge.probe";

/// Runs the probes of every running container that has a healthcheck (or kProbeLabel, timed by its healthcheck's
/// interval, timeout, start_period, start_interval, retries) and tells Containers::set_health. Follows engine events; containers
/// that are there at construction are taken over. Probes run on a bounded pool; nothing wakes up without a probe due.
class Monitor {
public:
    explicit Monitor(runtime::Engine& engine, int threads = 2);
    ~Monitor();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// What is to be said of a container during and after a rollout.
enum class State {
    waiting,    ///< not decided: starting, or inside the monitor time
    healthy,    ///< its probe says so
    observed,   ///< no probe; it ran through the monitor time without an exit or restart
    completed,  ///< exited with 0 and isn't meant to run on (restart `no` or `on-failure`)
    unhealthy,  ///< its probe says so
    crashed,    ///< exited (or restarted) though it should run
};
std::string_view to_string(State state);

struct ContainerVerdict {
    State state = State::waiting;
    std::string reason;  ///< `exited with code 3 2 times in 10s`, `probe failed 3 times: <last output>`
};

/// Pure. `info` now; `baseline_restarts`: its restart count when the monitor time began at `since`.
ContainerVerdict judge(const runtime::ContainerInfo& info, int baseline_restarts, WallTime since, Nanoseconds monitor, WallTime now);

}  // namespace kedge::health
