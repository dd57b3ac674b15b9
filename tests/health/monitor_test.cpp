#include "tests/health/monitor_fixture.h"

#include "tests/support/loopback.h"

using namespace kedge;
using namespace std::chrono_literals;
using runtime::ContainerInfo;
using runtime::ContainerSpec;
using runtime::Health;

namespace {

using Strings = std::vector<std::string>;

class MonitorTest : public test::MonitorFixture {};

const Strings kHang = {"CMD", "sleep", "1000"};

}  // namespace

TEST_F(MonitorTest, AContainerStartsAndBecomesHealthyWithItsFirstSuccess) {
    ContainerSpec spec = probed({"CMD", "test", "-e", "/ok"});
    spec.healthcheck->retries = 1000;
    std::string id = run(spec);
    EXPECT_EQ(health_of(id).status, Status::starting) << "there is no moment without";
    ASSERT_TRUE(wait_until(id, [](const ContainerInfo& info) { return info.health.failing_streak >= 2; }));
    EXPECT_EQ(health_of(id).status, Status::starting);
    (void)in(id, "touch /ok");
    ASSERT_TRUE(becomes(id, Status::healthy));
    Health health = health_of(id);
    EXPECT_EQ(health.failing_streak, 0);
    EXPECT_EQ(health.log.back().exit_code, 0);
    EXPECT_GE(health.log.back().end, health.log.back().start);
    EXPECT_EQ(told(id, "health_status"), Strings{"health_status: healthy"});
}

TEST_F(MonitorTest, AContainerWhoseProbeFailsIsUnhealthyWithItsWordsUntilItSucceeds) {
    std::string id = run(probed({"CMD-SHELL", "test ! -e /bad || { echo no database; echo at all >&2; exit 7; }"}));
    ASSERT_TRUE(becomes(id, Status::healthy));
    (void)in(id, "touch /bad");
    ASSERT_TRUE(becomes(id, Status::unhealthy));
    Health health = health_of(id);
    EXPECT_GE(health.failing_streak, 3);
    EXPECT_EQ(health.log.back().exit_code, 7);
    EXPECT_EQ(health.log.back().output, "no database\nat all\n");
    ASSERT_TRUE(wait_until(id, [](const ContainerInfo& info) { return info.health.failing_streak >= 6; }));
    EXPECT_EQ(health_of(id).log.size(), 5u);
    (void)in(id, "rm /bad");
    ASSERT_TRUE(becomes(id, Status::healthy));
    EXPECT_EQ(told(id, "health_status"),
              (Strings{"health_status: healthy", "health_status: unhealthy", "health_status: healthy"}));
}

TEST_F(MonitorTest, WhatIsPausedIsNotProbedAndNoLessWellForIt) {
    ContainerSpec spec = probed({"CMD-SHELL", "sleep 0.05"});  // most likely one is on its way when it is paused
    spec.healthcheck->timeout = 2s;
    spec.healthcheck->retries = 1;
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::healthy));
    containers().pause(id);
    const WallTime paused = wall_now();
    EXPECT_FALSE(eventually([&] { return health_of(id).status != Status::healthy; }, 3s)) << "longer than its timeout";
    containers().unpause(id);
    EXPECT_TRUE(says(id, [&](const runtime::ProbeResult& result) { return result.start > paused + 3s; }));
    EXPECT_EQ(told(id, "health_status"), Strings{"health_status: healthy"});
}

TEST_F(MonitorTest, WhatAProbeSaysIsBoundedAndReadable) {
    std::string id = run(probed({"CMD-SHELL", "printf '\\377'; yes | head -c 100000"}));
    std::string output = last_output(id);
    EXPECT_EQ(output.substr(0, 5), "\xef\xbf\xbdy\n");
    EXPECT_EQ(output.size(), 4096u);
    EXPECT_TRUE(output.ends_with("..."));
}

TEST_F(MonitorTest, AProbeThatCanNotBeMadeSaysWhy) {
    std::string id = run(probed({"CMD", "nosuch"}));
    ASSERT_TRUE(becomes(id, Status::unhealthy));
    Health health = health_of(id);
    EXPECT_EQ(health.log.back().exit_code, -1);
    EXPECT_EQ(health.log.back().output, "exec: \"nosuch\": executable file not found in $PATH");
}

TEST_F(MonitorTest, AProbeThatTakesTooLongIsEndedAndFails) {
    ContainerSpec spec = probed({"CMD-SHELL", "echo begun; exec sleep 1000"});
    spec.healthcheck->timeout = 100ms;
    spec.healthcheck->retries = 1;
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::unhealthy));
    Health health = health_of(id);
    EXPECT_EQ(health.log.back().exit_code, -1);
    EXPECT_EQ(health.log.back().output, "Health check exceeded timeout (100ms): begun\n");
    EXPECT_GE(health.log.back().end - health.log.back().start, 100ms);
}

TEST_F(MonitorTest, FailuresInTheStartPeriodDoNotCountBeforeTheFirstSuccess) {
    ContainerSpec spec = probed({"CMD", "test", "-e", "/ok"});
    spec.healthcheck->start_period = 1h;
    spec.healthcheck->start_interval = 20ms;
    spec.healthcheck->interval = 30ms;
    spec.healthcheck->retries = 1;
    std::string id = run(spec);
    ASSERT_TRUE(wait_until(id, [](const ContainerInfo& info) { return info.health.log.size() == 5; }));
    EXPECT_EQ(health_of(id).status, Status::starting);
    EXPECT_EQ(health_of(id).failing_streak, 0);
    (void)in(id, "touch /ok");
    ASSERT_TRUE(becomes(id, Status::healthy));
    (void)in(id, "rm /ok");
    EXPECT_TRUE(becomes(id, Status::unhealthy)) << "from the first success on they do";
}

TEST_F(MonitorTest, InTheStartPeriodProbesComeAtTheStartInterval) {
    ContainerSpec spec = probed({"CMD", "true"});
    spec.healthcheck->interval = 1h;
    std::string never = run(spec);
    spec.healthcheck->start_period = 1h;
    spec.healthcheck->start_interval = 20ms;
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::healthy));
    EXPECT_EQ(health_of(never).status, Status::starting);
    EXPECT_TRUE(health_of(never).log.empty());
}

TEST_F(MonitorTest, WhatHasNoProbeHasNoHealth) {
    std::string id = run(probed({"NONE"}));
    std::string after = run(probed({"CMD", "true"}));
    ASSERT_TRUE(becomes(after, Status::healthy));
    EXPECT_EQ(health_of(id).status, Status::none);
    EXPECT_EQ(told(id, "exec_"), Strings{});
}

TEST_F(MonitorTest, AnImageWithoutAShellIsProbedOverHttp) {
    std::string well = run(server(http("/health")));
    EXPECT_NE(health_of(well).status, Status::none) << "there is no moment without";
    std::string bad = run(server(http("/nosuch")));
    health::NetworkProbe strict = http("/nosuch");
    strict.expected_status_from = strict.expected_status_to = 404;
    std::string strictly = run(server(strict));
    ASSERT_TRUE(becomes(well, Status::healthy)) << last_output(well);
    EXPECT_EQ(last_output(well), "200 OK");
    ASSERT_TRUE(becomes(bad, Status::unhealthy)) << last_output(bad);
    EXPECT_TRUE(last_output(bad).starts_with("404 Not Found: <HTML>")) << last_output(bad);
    EXPECT_EQ(health_of(bad).log.back().exit_code, 1);
    ASSERT_TRUE(becomes(strictly, Status::healthy)) << last_output(strictly);
    EXPECT_EQ(told(well, "exec_"), Strings{}) << "nothing is executed in it";
}

TEST_F(MonitorTest, AnImageWithoutAShellIsProbedByConnecting) {
    std::string well = run(server(tcp(8080)));
    std::string bad = run(server(tcp(8081)));
    ASSERT_TRUE(becomes(well, Status::healthy)) << last_output(well);
    ASSERT_TRUE(becomes(bad, Status::unhealthy)) << last_output(bad);
    EXPECT_EQ(last_output(bad), "connect to 127.0.0.1:8081: connection refused");
    EXPECT_EQ(health_of(bad).log.back().exit_code, 1);
}

TEST_F(MonitorTest, AContainerInTheHostsNetworkIsProbedThere) {
    uint16_t port = test::free_port();
    ContainerSpec spec = server(http("/health", port));
    spec.network_mode = "host";
    (*spec.command)[3] = std::to_string(port);
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::healthy)) << last_output(id);
    // Not in the other one's network, where nothing has this port.
    std::string other = run(server(http("/health", port)));
    ASSERT_TRUE(becomes(other, Status::unhealthy)) << last_output(other);
}

TEST_F(MonitorTest, HeadersOfAProbeAreSentInThePlaceOfTheUsualOnes) {
    health::NetworkProbe probe = http("/x?y=1");
    probe.headers = {{"X-Probe", "yes"}, {"host", "shop.example"}};
    ContainerSpec spec = server(probe);
    spec.image = "busybox";
    // A server whose answers are failures with what it was asked.
    (*spec.command) = {
        "sh", "-c",
        "printf 'HTTP/1.1 500 No\\r\\n\\r\\n' > /head; exec nc -ll -p 8080 -e sh -c 'cat /head; head -n 5'"};
    std::string id = run(spec);
    EXPECT_TRUE(says(id, "500 No: GET /x?y=1 HTTP/1.1 User-Agent: kedge Accept: */* X-Probe: yes host: shop.example"))
        << last_output(id);
}

TEST_F(MonitorTest, AServerThatAnswersNothingOrNonsenseIsUnhealthy) {
    ContainerSpec spec = server(http("/"));
    spec.image = "busybox";
    auto answers_with = [&](const std::string& command) {
        (*spec.command) = {"sh", "-c", "exec nc -ll -p 8080 -e sh -c '" + command + "'"};
        return run(spec);
    };
    std::string nonsense = answers_with("echo SSH-2.0-x; cat");
    std::string mute = answers_with("head -n 1");
    spec.healthcheck->timeout = 100ms;
    std::string silent = answers_with("sleep 1000");
    EXPECT_TRUE(says(nonsense, "not an HTTP answer: \"SSH-2.0-x\"")) << last_output(nonsense);
    EXPECT_TRUE(says(mute, "not an HTTP answer: \"GET / HTTP/1.1\"")) << last_output(mute);
    EXPECT_TRUE(says(silent, "Health check exceeded timeout (100ms)")) << last_output(silent);
    for (const std::string& id : {nonsense, mute, silent}) EXPECT_TRUE(becomes(id, Status::unhealthy));
}

TEST_F(MonitorTest, ALabelThatIsNoProbeIsUnhealthyWithWhatIsWrongWithIt) {
    ContainerSpec spec = server(tcp(80));
    spec.labels[health::kProbeLabel] = R"({"kind":"tcp","port":0})";
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::unhealthy));
    EXPECT_EQ(last_output(id), "io.kedge.probe: port: 0 is not a number from 1 to 65535");
    EXPECT_EQ(health_of(id).log.back().exit_code, -1);
}

TEST_F(MonitorTest, AnotherAgentGoesOnWhereTheOneBeforeWas) {
    monitor.reset();
    ContainerSpec spec = probed({"CMD", "false"});
    std::string failing = run(spec);
    spec.healthcheck->test = {"CMD", "true"};
    spec.healthcheck->interval = 1h;
    std::string healthy = run(spec);
    Health twice;
    twice.status = Status::starting;
    twice.failing_streak = 2;
    Health well;
    well.status = Status::healthy;
    EXPECT_TRUE(containers().set_health(failing, twice));
    EXPECT_TRUE(containers().set_health(healthy, well));
    close_engine();
    open_engine();
    EXPECT_EQ(health_of(failing).failing_streak, 2);
    open_monitor();
    ASSERT_TRUE(becomes(failing, Status::unhealthy));
    // One result made it so: the streak went on.
    EXPECT_EQ(health_of(failing).failing_streak - static_cast<int>(health_of(failing).log.size()), 2);
    EXPECT_EQ(health_of(healthy).status, Status::healthy);
    EXPECT_EQ(told(healthy, "health_status"), Strings{});
}

TEST_F(MonitorTest, ProbesThatHangDoNotKeepOtherContainersFromTheirs) {
    open_monitor(1);
    Strings hanging;
    for (int i = 0; i < 4; ++i) {
        ContainerSpec spec = probed(kHang);
        spec.healthcheck->timeout = 1h;
        hanging.push_back(run(spec));
    }
    for (const std::string& id : hanging) ASSERT_TRUE(wait_for_event(id, "exec_start"));
    std::string id = run(probed({"CMD", "true"}));
    EXPECT_TRUE(becomes(id, Status::healthy));
    for (const std::string& other : hanging) EXPECT_EQ(health_of(other).status, Status::starting);
    // And the end does not wait for them.
    auto begin = std::chrono::steady_clock::now();
    monitor.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    for (const std::string& other : hanging) EXPECT_TRUE(health_of(other).log.empty()) << "an end says nothing of them";
}

TEST_F(MonitorTest, AContainerMayBeRemovedDuringItsProbe) {
    std::string command = run(probed(kHang));
    ContainerSpec spec = server(http("/"));
    spec.image = "busybox";
    // A server that takes the request and never answers.
    (*spec.command) = {"sh", "-c", "exec nc -ll -p 8080 -e sh -c 'echo asked > /proc/1/fd/1; sleep 1000'"};
    std::string network = run(spec);
    ASSERT_TRUE(wait_for_event(command, "exec_start"));
    ASSERT_TRUE(wait_for_log(network, "asked"));
    for (const std::string& id : {command, network}) containers().remove(id, {.force = true});
    std::string after = run(probed({"CMD", "true"}));
    EXPECT_TRUE(becomes(after, Status::healthy));
    for (const std::string& id : {command, network}) EXPECT_EQ(told(id, "health_status"), Strings{});
}

TEST_F(MonitorTest, AProbeIsNotWaitedForOnceItsContainerIsGone) {
    // Its network outlives it, as a pod's does: only the monitor can know that the answer does not matter any more.
    std::string pod = run(shell("exec nc -ll -p 8080 -e sh -c 'echo asked > /proc/1/fd/1; sleep 1000'"));
    // Once what the start has opened is closed again.
    size_t before = sockets();
    for (int same = 0; same < 20;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        size_t now = sockets();
        same = now == before ? same + 1 : 0;
        before = now;
    }
    ContainerSpec spec = server(http("/"));
    spec.image = "busybox";
    (*spec.command) = {"sleep", "1000"};
    spec.network_mode = "container:" + pod;
    spec.healthcheck->timeout = 1h;
    std::string id = run(spec);
    ASSERT_TRUE(wait_for_log(pod, "asked"));
    EXPECT_GT(sockets(), before);
    containers().remove(id, {.force = true});
    EXPECT_TRUE(eventually([&] { return sockets() == before; }, 10s)) << "the probe still waits";
}

TEST_F(MonitorTest, AProbeThatTheEndOfItsContainerCutsOffSaysNothing) {
    ContainerSpec spec = probed({"CMD-SHELL", "touch /end; sleep 1000"});
    spec.command = std::vector<std::string>{"sh", "-c", "until test -e /end; do sleep 0.01; done; exit 3"};
    spec.healthcheck->retries = 1;
    for (int i = 0; i < 5; ++i) {
        std::string id = run(spec);
        EXPECT_EQ(containers().wait(id), 3);
        ASSERT_TRUE(wait_for_event(id, "exec_die"));
        std::string after = run(probed({"CMD", "true"}));
        ASSERT_TRUE(becomes(after, Status::healthy));
        EXPECT_EQ(told(id, "health_status"), Strings{});
        EXPECT_TRUE(health_of(id).log.empty());
    }
}

TEST_F(MonitorTest, ARunThatFollowsBeginsAnew) {
    ContainerSpec spec = probed({"CMD-SHELL", "test -e /ok"});
    spec.healthcheck->retries = 1;
    spec.stop_timeout = 0;
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::unhealthy));
    WallTime first = containers().inspect(id).started;
    (void)in(id, "touch /ok");
    containers().restart(id);
    ASSERT_TRUE(becomes(id, Status::healthy));
    EXPECT_EQ(health_of(id).failing_streak, 0);
    EXPECT_GE(health_of(id).log.front().start, containers().inspect(id).started)
        << "results of the run before are there";

    Health stale;
    stale.status = Status::unhealthy;
    EXPECT_FALSE(containers().set_health(id, stale, first)) << "of a run that is over";
    EXPECT_EQ(health_of(id).status, Status::healthy);
    WallTime second = containers().inspect(id).started;
    containers().stop(id);
    EXPECT_FALSE(containers().set_health(id, stale, second)) << "of what does not run";
}

TEST_F(MonitorTest, AContainerThatItsPolicyStartsAgainIsProbedAgain) {
    ContainerSpec spec = probed({"CMD", "true"});
    spec.command = std::vector<std::string>{"sh", "-c", "until test -e /end; do sleep 0.01; done; rm /end; exit 3"};
    spec.restart.name = runtime::RestartPolicy::Name::always;
    std::string id = run(spec);
    ASSERT_TRUE(becomes(id, Status::healthy));
    (void)in(id, "touch /end");
    ASSERT_TRUE(wait_until(id, [](const ContainerInfo& info) { return info.restart_count == 1; }));
    ASSERT_TRUE(becomes(id, Status::healthy));
    containers().stop(id, 0);
}

TEST_F(MonitorTest, AFloodOfEventsHidesNoContainer) {
    for (int i = 0; i < 5; ++i) {
        std::string id = run(probed({"CMD", "true"}));
        for (int k = 0; k < 20000; ++k)
            engine->events().publish({.type = "image", .action = "tag", .id = "x", .attributes = {}, .time = {}});
        EXPECT_TRUE(becomes(id, Status::healthy));
    }
}
