#include "base/error.h"
#include "base/log.h"
#include "health/health.h"
#include "health/probe_run.h"
#include "health/schedule.h"
#include "health/timetable.h"
#include "runtime/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kedge::health {

namespace {

/// With so many probes that all hang, others have to wait. A thread that waits costs some ten kilobytes.
constexpr size_t kMostThreads = 16;

/// What may change whether a container is probed.
bool concerns_probes(const runtime::Event& event) {
    static const std::set<std::string> kActions = {"start", "die", "destroy", "pause", "unpause"};
    return event.type == "container" && kActions.contains(event.action);
}

/// One run of a container, from a start to its end.
struct Run {
    std::string id;
    WallTime started;  ///< which run of it
    SteadyTime born;   ///< the same on the clock that nobody sets
};

/// Probes it once and tells the engine; when to do so again. Of a run that is over nothing is told.
std::optional<SteadyTime> probe(runtime::Containers& containers, const Run& run, std::stop_token stop) {
    runtime::ContainerInfo info = containers.inspect(run.id);
    if (info.started != run.started) return {};  // its start is an event of its own
    auto age = [&] { return std::chrono::steady_clock::now() - run.born; };
    Timing timing = timing_of(info);
    if (info.status == runtime::Status::running) {
        Nanoseconds age_then = age();
        runtime::ProbeResult result = run_probe(containers, info, timing.timeout, stop);
        runtime::Health before = containers.inspect(run.id).health;
        info.health = with_result(timing, std::move(before), std::move(result), age_then);
        if (stop.stop_requested()) return {};
        (void)containers.set_health(run.id, info.health, run.started);  // not taken: its end is an event of its own
    }
    return std::chrono::steady_clock::now() + until_next_probe(timing, info.health, age());
}

}  // namespace

struct Monitor::State {
    State(runtime::Engine& with, size_t threads) : engine(with), timetable(threads, kMostThreads) {
        next_event = engine.events().next();  // before looking: nothing is missed in between
        look_at_all();
        follower = std::jthread([this](std::stop_token stop) { follow(stop); });
    }

    void follow(std::stop_token stop);
    void look_at_all();
    void look_at(const std::string& id);
    void forget(const std::string& id);
    std::optional<SteadyTime> work(const Run& run, std::stop_token stop);

    runtime::Engine& engine;
    Timetable timetable;
    std::map<std::string, WallTime> watched;  ///< by id: the run that is probed
    uint64_t next_event = 0;
    std::jthread follower;  ///< last: ends first, and nothing is put into the timetable any more
};

void Monitor::State::follow(std::stop_token stop) {
    (void)::pthread_setname_np(::pthread_self(), "health");
    while (!stop.stop_requested()) {
        std::set<std::string> ids;
        auto see = [&](const runtime::Event& event) {
            if (concerns_probes(event)) ids.insert(event.id);
        };
        uint64_t missed = 0;
        next_event = engine.events().read(next_event, see, stop, SteadyTime::max(), &missed);
        if (missed > 0) look_at_all();
        for (const std::string& id : ids) look_at(id);
    }
}

void Monitor::State::look_at_all() {
    std::set<std::string> ids;
    for (const auto& [id, started] : watched) ids.insert(id);
    for (const runtime::ContainerInfo& info : engine.containers().list()) ids.insert(info.id);
    for (const std::string& id : ids) look_at(id);
}

/// Makes the timetable right for what the container is now, whatever happened to it.
void Monitor::State::look_at(const std::string& id) {
    try {
        runtime::ContainerInfo info = engine.containers().inspect(id);
        if (info.status != runtime::Status::running || !is_probed(info)) return forget(id);
        auto known = watched.find(id);
        if (known != watched.end() && known->second == info.started) return;
        WallTime now = wall_now();
        SteadyTime steady_now = std::chrono::steady_clock::now();
        Run run{id, info.started, steady_now - std::max<Nanoseconds>(now - info.started, Nanoseconds(0))};
        watched[id] = info.started;
        timetable.put(id, steady_now + until_first_probe(timing_of(info), info, now),
                      [this, run](std::stop_token stop) { return work(run, stop); });
    } catch (const Error& e) {
        forget(id);  // it is gone
        if (e.code() != Code::not_found)
            log(LogLevel::error, fmt::format("health of container {}: {}", id.substr(0, 12), e.what()));
    }
}

void Monitor::State::forget(const std::string& id) {
    watched.erase(id);
    timetable.drop(id);
}

/// On a thread of the timetable.
std::optional<SteadyTime> Monitor::State::work(const Run& run, std::stop_token stop) {
    try {
        return probe(engine.containers(), run, stop);
    } catch (const std::exception& e) {
        auto* error = dynamic_cast<const Error*>(&e);
        if (error && (error->code() == Code::cancelled || error->code() == Code::not_found)) return {};
        log(LogLevel::error, fmt::format("probe of container {}: {}", run.id.substr(0, 12), e.what()));
        return std::chrono::steady_clock::now() + Timing().interval;
    }
}

Monitor::Monitor(runtime::Engine& engine, int threads)
    : state_(std::make_unique<State>(engine, static_cast<size_t>(std::max(threads, 1)))) {}

Monitor::~Monitor() = default;

}  // namespace kedge::health
