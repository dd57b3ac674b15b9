#include "health/health.h"

#include <gtest/gtest.h>

#include <functional>

using namespace kedge;
using namespace kedge::health;
using namespace std::chrono_literals;
using runtime::ContainerInfo;
using runtime::Health;
using runtime::RestartPolicy;
using runtime::Status;

namespace {

const WallTime kSince = WallTime(1000h);
constexpr Nanoseconds kMonitor = 10s;

using Edit = std::function<void(ContainerInfo&)>;

/// Runs since the monitor time began, without a probe.
ContainerInfo container(const Edit& edit = {}) {
    ContainerInfo info;
    info.status = Status::running;
    info.started = kSince;
    if (edit) edit(info);
    return info;
}
ContainerInfo probed(Health::Status status, const Edit& edit = {}) {
    ContainerInfo info = container(edit);
    info.healthcheck = runtime::Healthcheck{{"CMD", "true"}, {}, {}, {}, {}, 0};
    info.health.status = status;
    return info;
}
ContainerInfo ended(int code, RestartPolicy::Name policy = RestartPolicy::Name::no, const Edit& edit = {}) {
    ContainerInfo info = container();
    info.status = Status::exited;
    info.exit_code = code;
    info.spec.restart.name = policy;
    if (edit) edit(info);
    return info;
}

struct Case {
    const char* what;
    ContainerInfo info;
    Nanoseconds passed;  ///< of the monitor time
    int baseline;
    State state;
    std::string reason;  ///< empty: any
};

void check(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        ContainerVerdict verdict = judge(c.info, c.baseline, kSince, kMonitor, kSince + c.passed);
        EXPECT_EQ(to_string(verdict.state), to_string(c.state)) << c.what;
        std::string wanted = c.reason.empty() ? verdict.reason : c.reason;
        EXPECT_EQ(verdict.reason, wanted) << c.what;
    }
}

}  // namespace

TEST(Judge, WithoutAProbeTheMonitorTimeDecides) {
    auto started = [](Nanoseconds after) { return container([=](auto& i) { i.started = kSince + after; }); };
    check({
        {"just started", container(), 0s, 0, State::waiting, ""},
        {"not yet over", container(), 10s - 1ns, 0, State::waiting, ""},
        {"over", container(), 10s, 0, State::observed, ""},
        {"started long before", started(-100h), 5s, 0, State::waiting, ""},
        {"started long before, over", started(-100h), 10s, 0, State::observed, ""},
        {"started by hand meanwhile", started(4s), 13s, 0, State::waiting, ""},
        {"started by hand meanwhile, over", started(4s), 14s, 0, State::observed, ""},
        {"a healthcheck that is off",
         container([](auto& i) { i.healthcheck = runtime::Healthcheck{{"NONE"}, {}, {}, {}, {}, 0}; }), 10s, 0,
         State::observed, ""},
        {"its image has our label", container([](auto& i) { i.labels[kProbeLabel] = "x"; }), 10s, 0, State::observed,
         ""},
    });
}

TEST(Judge, WithAProbeTheProbeDecidesBeforeAndAfterTheMonitorTime) {
    auto words = [](int streak, const std::string& output) {
        return [=](ContainerInfo& info) {
            info.health.failing_streak = streak;
            info.health.log.push_back({{}, {}, 0, "earlier"});
            info.health.log.push_back({{}, {}, 1, output});
        };
    };
    auto by_label = container([](auto& i) { i.spec.labels[kProbeLabel] = "x"; });
    check({
        {"healthy at once", probed(Health::Status::healthy), 0s, 0, State::healthy, ""},
        {"starting", probed(Health::Status::starting), 5s, 0, State::waiting, ""},
        {"starting for long", probed(Health::Status::starting), 100h, 0, State::waiting, ""},
        {"nothing known yet", probed(Health::Status::none), 100h, 0, State::waiting, ""},
        {"probed from outside", by_label, 100h, 0, State::waiting, ""},
        {"unhealthy", probed(Health::Status::unhealthy, words(3, "no database\n")), 1s, 0, State::unhealthy,
         "probe failed 3 times: no database"},
        {"once", probed(Health::Status::unhealthy, words(1, "")), 1s, 0, State::unhealthy, "probe failed 1 time"},
        {"in several lines", probed(Health::Status::unhealthy, words(2, "  a\r\n\tb\x1b[0m \xff ")), 1s, 0,
         State::unhealthy, "probe failed 2 times: a b [0m \xef\xbf\xbd"},
        {"healthy after a restart", probed(Health::Status::healthy, [](auto& i) { i.restart_count = 1; }), 5s, 0,
         State::crashed, "restarted"},
    });
}

TEST(Judge, AnExitOrRestartOfWhatShouldRunIsACrash) {
    using Name = RestartPolicy::Name;
    auto restarted = [](int count) { return [=](ContainerInfo& info) { info.restart_count = count; }; };
    auto again = [&](int code, int count) {
        return ended(code, Name::always, [=](auto& i) {
            i.status = Status::restarting;
            i.restart_count = count;
        });
    };
    auto by_hand = [](ContainerInfo& info) { info.stopped_by_hand = true; };
    auto no_memory = [](ContainerInfo& info) { info.oom_killed = true; };
    check({
        {"exited", ended(3), 10s, 0, State::crashed, "exited with code 3"},
        {"exited with 0", ended(0, Name::always), 10s, 0, State::crashed, "exited with code 0"},
        {"the same", ended(0, Name::unless_stopped), 10s, 0, State::crashed, ""},
        {"given up", ended(3, Name::on_failure, restarted(2)), 10s, 0, State::crashed,
         "exited with code 3 3 times in 10s"},
        {"out of memory", ended(137, Name::no, no_memory), 10s, 0, State::crashed,
         "exited with code 137 (out of memory)"},
        {"stopped by hand", ended(0, Name::no, by_hand), 10s, 0, State::crashed, "was stopped by hand"},
        {"waits for its restart", again(3, 1), 1s, 0, State::crashed, "exited with code 3"},
        {"the second time", again(3, 2), 10s, 0, State::crashed, "exited with code 3 2 times in 10s"},
        {"part of a second", again(3, 2), 9300ms, 0, State::crashed, "exited with code 3 2 times in 10s"},
        {"exits with 0 again and again", again(0, 2), 61s, 0, State::crashed, "exited with code 0 2 times in 1m1s"},
        {"waits for a restart of before", again(3, 2), 100h, 2, State::waiting, ""},
        {"runs again", container(restarted(1)), 1s, 0, State::crashed, "restarted"},
        {"the third time", container(restarted(5)), 4s, 2, State::crashed, "restarted 3 times in 4s"},
        {"restarts of before", container(restarted(5)), 10s, 5, State::observed, ""},
        {"one more", container(restarted(6)), 10s, 5, State::crashed, ""},
        {"by hand since, which counts anew", container(restarted(0)), 10s, 5, State::observed, ""},
        {"a crash after that", container(restarted(2)), 10s, 5, State::crashed, "restarted 2 times in 10s"},
        {"dead", ended(1, Name::no, [](auto& i) { i.status = Status::dead; }), 1s, 0, State::crashed,
         "exited with code 1"},
        {"a probe does not matter then",
         probed(Health::Status::unhealthy,
                [](auto& i) {
                    i.status = Status::exited;
                    i.exit_code = 2;
                }),
         1s, 0, State::crashed, "exited with code 2"},
    });
}

TEST(Judge, WhatCouldNotBeStartedIsACrashWithItsError) {
    auto failed = [](Status status) {
        return container([=](auto& i) {
            i.status = status;
            i.error = "exec: \"nosuch\": executable file not found in $PATH";
            i.exit_code = 127;
            i.restart_count = status == Status::restarting;
        });
    };
    std::string reason = "could not start: exec: \"nosuch\": executable file not found in $PATH";
    check({{"never ran", failed(Status::created), 0s, 0, State::crashed, reason},
           {"ran before", failed(Status::exited), 0s, 0, State::crashed, reason},
           {"is tried again", failed(Status::restarting), 0s, 0, State::crashed, reason}});
}

TEST(Judge, AJobThatIsDoneIsCompletedWheneverItFinished) {
    using Name = RestartPolicy::Name;
    auto long_ago = [](ContainerInfo& info) { info.started = info.finished = kSince - 100h; };
    auto retried = [](ContainerInfo& info) { info.restart_count = 2; };
    check({{"at once", ended(0), 0s, 0, State::completed, ""},
           {"before", ended(0, Name::no, long_ago), 0s, 0, State::completed, ""},
           {"on-failure", ended(0, Name::on_failure), 0s, 0, State::completed, ""},
           {"in the third go", ended(0, Name::on_failure, retried), 0s, 0, State::completed, ""},
           {"with a probe", probed(Health::Status::unhealthy, [](auto& i) { i.status = Status::exited; }), 0s, 0,
            State::completed, ""}});
}

TEST(Judge, WhatIsNeitherUpNorDownIsWaitedFor) {
    for (Status status : {Status::created, Status::paused, Status::removing}) {
        ContainerInfo info = probed(Health::Status::healthy, [=](auto& i) { i.status = status; });
        EXPECT_EQ(judge(info, 0, kSince, kMonitor, kSince + 100h).state, State::waiting) << to_string(status);
    }
}

TEST(Judge, EveryStateHasItsName) {
    EXPECT_EQ(to_string(State::waiting), "waiting");
    EXPECT_EQ(to_string(State::healthy), "healthy");
    EXPECT_EQ(to_string(State::observed), "observed");
    EXPECT_EQ(to_string(State::completed), "completed");
    EXPECT_EQ(to_string(State::unhealthy), "unhealthy");
    EXPECT_EQ(to_string(State::crashed), "crashed");
}
