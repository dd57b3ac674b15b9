#include "tests/runtime/engine_fixture.h"

#include <future>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct RestartPolicies : test::EngineFixture {
    static ContainerSpec with(RestartPolicy policy, const std::string& script) {
        ContainerSpec spec = shell(script);
        spec.restart = policy;
        return spec;
    }
    size_t starts(const std::string& id) {
        std::string text = log_of(id);
        return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
    }
};

constexpr auto kNo = RestartPolicy::Name::no;
constexpr auto kAlways = RestartPolicy::Name::always;
constexpr auto kOnFailure = RestartPolicy::Name::on_failure;
constexpr auto kUnlessStopped = RestartPolicy::Name::unless_stopped;

}  // namespace

TEST_F(RestartPolicies, WithoutOneNothingIsStartedAgain) {
    std::string id = run(with({kNo, 0}, "echo run; exit 1"));
    EXPECT_EQ(containers().wait(id), 1);
    EXPECT_EQ(containers().inspect(id).status, Status::exited);
    close_engine();
    open_engine();
    EXPECT_EQ(containers().inspect(id).status, Status::exited);
    EXPECT_EQ(starts(id), 1u);
}

TEST_F(RestartPolicies, OnFailureTriesAsOftenAsItSaysAndThenItHasFailed) {
    std::string id = run(with({kOnFailure, 2}, "echo run; exit 9"));
    EXPECT_EQ(containers().wait(id), 9) << "a waiter waits for the last of them";
    ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_EQ(info.restart_count, 2);
    EXPECT_EQ(starts(id), 3u);
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 9);
    EXPECT_EQ(containers().inspect(id).restart_count, 2) << "a start by hand begins to count anew";
    EXPECT_EQ(starts(id), 6u);
}

TEST_F(RestartPolicies, OnFailureLeavesSuccessAlone) {
    std::string id = run(with({kOnFailure, 0}, "test -e /again && exit 0; touch /again; exit 1"));
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(containers().inspect(id).restart_count, 1);
    EXPECT_EQ(containers().inspect(id).status, Status::exited);
}

TEST_F(RestartPolicies, AlwaysBringsBackSuccessToo) {
    std::string id =
        run(with({kAlways, 0}, "echo run; test -e /2 && exec sleep 1000; test -e /1 && touch /2; touch /1"));
    EXPECT_TRUE(wait_until(id, [](auto& i) { return i.restart_count == 2 && i.status == Status::running; }));
    EXPECT_TRUE(wait_for_log(id, "run\nrun\nrun\n"));
}

TEST_F(RestartPolicies, EveryTryWaitsTwiceAsLongAsTheOneBefore) {
    std::string id = run(with({kOnFailure, 3}, "exit 1"));
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(containers().wait(id), 1);
    auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took, std::chrono::milliseconds(100 + 200 + 400));
    EXPECT_LT(took, std::chrono::seconds(5));
}

TEST_F(RestartPolicies, AContainerThatWaitsForItsNextTryIsRestarting) {
    std::string id = run(with({kAlways, 0}, "exit 5"));
    ASSERT_TRUE(wait_until(id, [](auto& i) { return i.restart_count >= 3 && i.status == Status::restarting; }));
    ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(info.exit_code, 5);
    EXPECT_EQ(info.pid, 0);
    Code code = Code::internal;
    EXPECT_NE(refusal([&] { exec(id, "true"); }, &code).find("is restarting"), std::string::npos);
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(code_of([&] { containers().remove(id); }), Code::conflict);
    containers().stop(id);
    info = containers().inspect(id);
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_TRUE(info.stopped_by_hand);
    EXPECT_EQ(info.exit_code, 5);
}

TEST_F(RestartPolicies, StoppingByHandEndsItAlsoForTheNextAgent) {
    for (auto policy : {kAlways, kUnlessStopped}) {
        std::string id = run(with({policy, 0}, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done"));
        ASSERT_TRUE(wait_for_log(id, "ready"));
        containers().stop(id);
        close_engine();
        open_engine();
        ContainerInfo info = containers().inspect(id);
        EXPECT_EQ(info.status, Status::exited);
        EXPECT_EQ(info.restart_count, 0);
        containers().start(id);
        EXPECT_FALSE(containers().inspect(id).stopped_by_hand);
        containers().remove(id, {.force = true});
    }
}

TEST_F(RestartPolicies, KillByHandEndsItButAnotherSignalDoesNot) {
    std::string id = run(with({kAlways, 0}, "trap 'exit 6' USR1; echo ready; while :; do sleep 0.02; done"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    containers().kill(id, "USR1");
    ASSERT_TRUE(wait_until(id, [](auto& i) { return i.restart_count == 1 && i.status == Status::running; }));
    ASSERT_TRUE(wait_for_log(id, "ready\nready"));
    containers().kill(id);
    EXPECT_EQ(containers().wait(id), 137);
    EXPECT_EQ(containers().inspect(id).status, Status::exited);
}

TEST_F(RestartPolicies, AContainerIsRemovedByForceWhileItWaits) {
    std::string id = run(with({kAlways, 0}, "exit 1"));
    ASSERT_TRUE(wait_until(id, [](auto& i) { return i.restart_count >= 2 && i.status == Status::restarting; }));
    containers().remove(id, {.force = true});
    EXPECT_EQ(code_of([&] { containers().inspect(id); }), Code::not_found);
}

TEST_F(RestartPolicies, ARestartThatFailsIsTriedAgainAndNobodyWhoWaitsIsWokenBetween) {
    make_folders(AT_FDCWD, folder + "/source");
    ContainerSpec spec = with({kAlways, 0}, "echo ready; sleep 0.05; exit 3");
    spec.mounts = {bind(folder + "/source", "/mnt")};
    std::string id = run(spec);
    auto waiter = std::async(std::launch::async, [&] { return containers().wait(id); });
    remove_tree(AT_FDCWD, folder + "/source");
    ASSERT_TRUE(wait_until(id, [](auto& i) { return !i.error.empty(); }));
    int count = containers().inspect(id).restart_count;
    ASSERT_TRUE(wait_until(id, [&](auto& i) { return i.restart_count > count + 1; })) << "it is not tried again";
    make_folders(AT_FDCWD, folder + "/source");
    ASSERT_TRUE(wait_until(id, [](auto& i) { return i.status == Status::running && i.error.empty(); }));
    EXPECT_EQ(waiter.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    containers().stop(id, 0);
    EXPECT_NE(waiter.get(), 0);
}

TEST_F(RestartPolicies, AFollowerOfItsLogSeesEveryRun) {
    std::string id = run(with({kOnFailure, 2}, "echo run $$; exit 1"));
    std::string seen;
    containers().logs(id, {.follow = true}, [&](const LogLine& line) {
        seen += line.text;
        return true;
    });
    EXPECT_EQ(seen, "run 1\nrun 1\nrun 1\n");
}

TEST_F(RestartPolicies, AnAddressAndAPublishedPortAreThereAgainAfterARestart) {
    make_network("front");
    ContainerSpec spec = with({kAlways, 0}, "trap 'exit 1' USR1; echo ready; while :; do sleep 0.02; done");
    spec.networks = {on("front")};
    PortBinding port;
    port.container_port = 80;
    port.host_port = 18080;
    spec.ports = {port};
    std::string id = run(spec);
    ASSERT_TRUE(wait_for_log(id, "ready"));
    containers().kill(id, "USR1");
    ASSERT_TRUE(wait_until(id, [](auto& i) { return i.restart_count == 1 && i.status == Status::running; }));
    ContainerInfo info = containers().inspect(id);
    ASSERT_EQ(info.ports.size(), 2u) << "over both families";
    EXPECT_EQ(info.ports[0].host_port, 18080);
    EXPECT_NE(info.endpoints.at(0).ip, "");
}
