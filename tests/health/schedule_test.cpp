#include "health/schedule.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::health;
using namespace std::chrono_literals;
using runtime::ContainerInfo;
using runtime::Health;
using runtime::ProbeResult;

namespace {

using S = Health::Status;

Timing timing(Nanoseconds start_period = 0s, int retries = 3) {
    Timing t;
    t.interval = 30s;
    t.start_period = start_period;
    t.start_interval = 2s;
    t.retries = retries;
    return t;
}

Health health_of(S status, int streak = 0) {
    Health health;
    health.status = status;
    health.failing_streak = streak;
    return health;
}

ProbeResult result(int code, const std::string& output = {}) {
    return {{}, {}, code, output};
}

}  // namespace

TEST(Schedule, WhatAHealthcheckDoesNotSayIsDockersDefault) {
    ContainerInfo info;
    EXPECT_EQ(timing_of(info), (Timing{30s, 30s, 0s, 5s, 3}));
    info.healthcheck = runtime::Healthcheck{{"CMD", "true"}, 1s, 2s, 3s, 4s, 5};
    EXPECT_EQ(timing_of(info), (Timing{1s, 2s, 3s, 4s, 5}));
    info.healthcheck->interval = info.healthcheck->start_interval = 0s;
    EXPECT_EQ(timing_of(info), (Timing{30s, 2s, 3s, 5s, 5}));
    info.healthcheck.reset();
    info.spec.healthcheck = runtime::Healthcheck{{}, 7s, 0s, 0s, 0s, 0};
    EXPECT_EQ(timing_of(info).interval, 7s) << "the figures beside a label";
}

TEST(Schedule, TheNextProbeComesAfterTheStartIntervalOnlyWhileItStarts) {
    struct Case {
        S status;
        Nanoseconds start_period, age, wait;
    };
    for (const Case& c : std::vector<Case>{{S::starting, 0s, 0s, 30s},
                                           {S::starting, 10s, 0s, 2s},
                                           {S::none, 10s, 0s, 2s},
                                           {S::starting, 10s, 10s - 1ns, 2s},
                                           {S::starting, 10s, 10s, 30s},
                                           {S::healthy, 10s, 5s, 30s},
                                           {S::unhealthy, 10s, 5s, 30s}}) {
        EXPECT_EQ(until_next_probe(timing(c.start_period), health_of(c.status), c.age), c.wait)
            << to_string(c.status) << " " << format_duration(c.start_period) << " " << format_duration(c.age);
    }
}

TEST(Schedule, WhatSomebodyElseProbedIsProbedWhenTheyWouldHave) {
    const WallTime start = WallTime(1000h);
    struct Case {
        const char* what;
        Nanoseconds last_end;  ///< after the start; negative: there was none
        Nanoseconds now, wait;
    };
    for (const Case& c : std::vector<Case>{{"just started", -1s, 0s, 30s},
                                           {"started a while ago", -1s, 20s, 10s},
                                           {"should have been probed", -1s, 100s, 0s},
                                           {"probed", 50s, 60s, 20s},
                                           {"probed long ago", 50s, 500s, 0s},
                                           {"the clock was set back", 50s, -50h, 30s}}) {
        ContainerInfo info;
        info.started = start;
        info.health = health_of(S::healthy);
        if (c.last_end >= 0s) info.health.log.push_back({start, start + c.last_end, 0, {}});
        EXPECT_EQ(until_first_probe(timing(), info, start + c.now), c.wait) << c.what;
    }
}

TEST(Schedule, RetriesFailuresInARowMakeItUnhealthyAndOneSuccessHealthy) {
    struct Case {
        const char* what;
        Health before;
        int code;
        Nanoseconds age;
        S status;
        int streak;
    };
    const Timing t = timing(10s, 2);
    for (const Case& c : std::vector<Case>{
             {"first success", health_of(S::starting), 0, 1s, S::healthy, 0},
             {"nobody said starting", health_of(S::none), 0, 1s, S::healthy, 0},
             {"failure inside the start period", health_of(S::starting), 1, 10s - 1ns, S::starting, 0},
             {"the same if nobody said starting", health_of(S::none), 1, 1s, S::starting, 0},
             {"failure after the start period", health_of(S::starting), 1, 10s, S::starting, 1},
             {"one too many", health_of(S::starting, 1), 1, 11s, S::unhealthy, 2},
             {"failure inside the start period after a success", health_of(S::healthy), 1, 1s, S::healthy, 1},
             {"one too many of those", health_of(S::healthy, 1), 1, 2s, S::unhealthy, 2},
             {"any code is a failure", health_of(S::healthy, 1), 200, 20s, S::unhealthy, 2},
             {"a probe that could not be made too", health_of(S::healthy, 1), -1, 20s, S::unhealthy, 2},
             {"success in between", health_of(S::healthy, 1), 0, 20s, S::healthy, 0},
             {"goes on failing", health_of(S::unhealthy, 7), 1, 20s, S::unhealthy, 8},
             {"recovers", health_of(S::unhealthy, 7), 0, 20s, S::healthy, 0}}) {
        Health after = with_result(t, c.before, result(c.code), c.age);
        EXPECT_EQ(to_string(after.status), to_string(c.status)) << c.what;
        EXPECT_EQ(after.failing_streak, c.streak) << c.what;
        EXPECT_EQ(after.log.size(), 1u) << c.what;
    }
}

TEST(Schedule, TheNewestFiveResultsAreKept) {
    Health health = health_of(S::starting);
    for (int i = 0; i < 7; ++i) health = with_result(timing(), health, result(0, std::to_string(i)), 0s);
    ASSERT_EQ(health.log.size(), 5u);
    EXPECT_EQ(health.log.front().output, "2");
    EXPECT_EQ(health.log.back().output, "6");
}
