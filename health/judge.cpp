#include "health/health.h"
#include "health/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kedge::health {

using runtime::ContainerInfo;
using runtime::Health;
using runtime::RestartPolicy;
using runtime::Status;

namespace {

constexpr size_t kOutputShown = 400;

ContainerVerdict waiting(std::string why) {
    return {State::waiting, std::move(why)};
}

/// How often it was started again by its policy since `baseline`.
int restarts_since(const ContainerInfo& info, int baseline) {
    bool counts_anew = info.restart_count < baseline;
    return counts_anew ? info.restart_count : info.restart_count - baseline;
}

/// ` 2 times in 10s`; nothing for once.
std::string how_often(int times, Nanoseconds span) {
    if (times < 2) return {};
    auto seconds = std::max(std::chrono::ceil<std::chrono::seconds>(span), std::chrono::seconds(1));
    return fmt::format(" {} times in {}", times, format_duration(seconds));
}

ContainerVerdict not_started(const ContainerInfo& info) {
    return {State::crashed, "could not start: " + one_line(info.error, kOutputShown)};
}

bool may_end(const ContainerInfo& info) {
    auto policy = info.spec.restart.name;
    return policy == RestartPolicy::Name::no || policy == RestartPolicy::Name::on_failure;
}

/// It does not run. `exits`: how often it ended.
ContainerVerdict judge_ended(const ContainerInfo& info, int exits, Nanoseconds span) {
    if (!info.error.empty()) return not_started(info);
    if (info.stopped_by_hand) return {State::crashed, "was stopped by hand"};
    if (info.status != Status::restarting && info.exit_code == 0 && may_end(info))
        return {State::completed, "exited with code 0"};
    std::string memory = info.oom_killed ? " (out of memory)" : "";
    return {State::crashed, fmt::format("exited with code {}{}{}", info.exit_code, memory, how_often(exits, span))};
}

ContainerVerdict judge_probed(const Health& health) {
    if (health.status == Health::Status::healthy) return {State::healthy, "its probe succeeds"};
    if (health.status != Health::Status::unhealthy) return waiting("starting");
    std::string reason =
        fmt::format("probe failed {} time{}", health.failing_streak, health.failing_streak == 1 ? "" : "s");
    std::string output = health.log.empty() ? std::string() : one_line(health.log.back().output, kOutputShown);
    return {State::unhealthy, output.empty() ? reason : reason + ": " + output};
}

}  // namespace

std::string_view to_string(State state) {
    static constexpr std::array<std::string_view, 6> kNames = {"waiting",   "healthy",   "observed",
                                                               "completed", "unhealthy", "crashed"};
    return kNames.at(static_cast<size_t>(state));
}

bool is_probed(const ContainerInfo& info) {
    if (info.spec.labels.contains(kProbeLabel)) return true;
    if (!info.healthcheck) return false;
    return !info.healthcheck->test.empty() && info.healthcheck->test.front() != "NONE";
}

ContainerVerdict judge(const ContainerInfo& info, int baseline_restarts, WallTime since, Nanoseconds monitor,
                       WallTime now) {
    int restarts = restarts_since(info, baseline_restarts);
    Nanoseconds span = now - since;
    switch (info.status) {
        case Status::created: return info.error.empty() ? waiting("not started") : not_started(info);
        case Status::paused: return waiting("paused");
        case Status::removing: return waiting("being removed");
        case Status::restarting: return restarts > 0 ? judge_ended(info, restarts, span) : waiting("starts again");
        case Status::exited:
        case Status::dead: return judge_ended(info, restarts + 1, span);
        case Status::running: break;
    }
    // How it ended is not known any more: it runs again.
    if (restarts > 0) return {State::crashed, restarts == 1 ? "restarted" : "restarted" + how_often(restarts, span)};
    if (is_probed(info)) return judge_probed(info.health);
    Nanoseconds ran = now - std::max(since, info.started);
    if (ran >= monitor) return {State::observed, "runs"};
    return waiting("observed for " + format_duration(monitor));
}

}  // namespace kedge::health
