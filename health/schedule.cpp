#include "health/schedule.h"

#include <algorithm>

namespace kedge::health {

using runtime::Health;

namespace {

constexpr size_t kKeptResults = 5;

/// `none` is what a container has that was started before anybody knew that it is probed.
bool is_starting(const Health& health) {
    return health.status == Health::Status::starting || health.status == Health::Status::none;
}

}  // namespace

Timing timing_of(const runtime::ContainerInfo& info) {
    runtime::Healthcheck given =
        info.healthcheck ? *info.healthcheck : info.spec.healthcheck.value_or(runtime::Healthcheck{});
    Timing timing;
    if (given.interval.count() > 0) timing.interval = given.interval;
    if (given.timeout.count() > 0) timing.timeout = given.timeout;
    if (given.start_period.count() > 0) timing.start_period = given.start_period;
    if (given.start_interval.count() > 0) timing.start_interval = given.start_interval;
    if (given.retries > 0) timing.retries = given.retries;
    return timing;
}

Nanoseconds until_next_probe(const Timing& timing, const Health& health, Nanoseconds age) {
    return is_starting(health) && age < timing.start_period ? timing.start_interval : timing.interval;
}

Nanoseconds until_first_probe(const Timing& timing, const runtime::ContainerInfo& info, WallTime now) {
    Nanoseconds whole = until_next_probe(timing, info.health, now - info.started);
    WallTime last = info.health.log.empty() ? info.started : std::max(info.started, info.health.log.back().end);
    return std::clamp<Nanoseconds>(whole - (now - last), Nanoseconds(0), whole);
}

Health with_result(const Timing& timing, Health health, runtime::ProbeResult result, Nanoseconds age) {
    if (result.exit_code == 0) {
        health.failing_streak = 0;
        health.status = Health::Status::healthy;
    } else if (!is_starting(health) || age >= timing.start_period) {
        ++health.failing_streak;
        if (health.failing_streak >= timing.retries) health.status = Health::Status::unhealthy;
    }
    if (health.status == Health::Status::none) health.status = Health::Status::starting;
    health.log.push_back(std::move(result));
    if (health.log.size() > kKeptResults) health.log.erase(health.log.begin(), health.log.end() - kKeptResults);
    return health;
}

}  // namespace kedge::health
