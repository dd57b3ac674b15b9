#include "tests/runtime/engine_fixture.h"

#include <future>

using namespace kedge;
using namespace kedge::runtime;

namespace {

constexpr const char* kObedient = "trap 'echo stopping; exit 7' TERM; echo ready; while :; do sleep 0.02; done";
constexpr const char* kStubborn = "trap '' TERM; echo ready; while :; do sleep 0.02; done";

struct Stop : test::EngineFixture {
    std::string ready(const ContainerSpec& spec) {
        std::string id = run(spec);
        EXPECT_TRUE(wait_for_log(id, "ready"));
        return id;
    }
    Status status(const std::string& id) { return containers().inspect(id).status; }
};

}  // namespace

TEST_F(Stop, TheStopSignalIsSentAndItsExitCodeKept) {
    std::string id = ready(shell(kObedient));
    containers().stop(id);
    ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_EQ(info.exit_code, 7);
    EXPECT_TRUE(info.stopped_by_hand);
    EXPECT_EQ(log_of(id), "ready\nstopping\n");
}

TEST_F(Stop, ASignalThatWasAskedForIsUsedInstead) {
    ContainerSpec spec = shell("trap 'exit 8' USR1; trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done");
    spec.stop_signal = "SIGUSR1";
    std::string id = ready(spec);
    containers().stop(id);
    EXPECT_EQ(containers().inspect(id).exit_code, 8);
}

TEST_F(Stop, WhatIgnoresTheSignalIsKilledAfterTheGraceTimeAndNotBefore) {
    ContainerSpec spec = shell(kStubborn);
    spec.stop_timeout = 1;
    std::string id = ready(spec);
    auto begin = std::chrono::steady_clock::now();
    containers().stop(id);
    auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took, std::chrono::seconds(1));
    EXPECT_LT(took, std::chrono::seconds(5));
    EXPECT_EQ(containers().inspect(id).exit_code, 137);
    containers().start(id);
    EXPECT_TRUE(wait_for_log(id, "ready\nready"));
    containers().stop(id, 0);
    EXPECT_EQ(containers().inspect(id).exit_code, 137) << "no grace at all";
}

TEST_F(Stop, AFirstProcessWithoutAHandlerIsKilledAndItsChildrenGoWithIt) {
    // Number 1 of a pid namespace is not killed by a signal that it doesn't handle.
    ContainerSpec spec = shell("sleep 1000 & sleep 1000 & echo ready; wait");
    std::string id = ready(spec);
    containers().stop(id, 0);
    EXPECT_EQ(containers().inspect(id).exit_code, 137);
}

TEST_F(Stop, StoppingTwiceAndStoppingWhatNeverRanIsNotModified) {
    std::string id = ready(shell(kObedient));
    containers().stop(id);
    EXPECT_EQ(code_of([&] { containers().stop(id); }), Code::not_modified);
    std::string created = containers().create(shell("true"));
    EXPECT_EQ(code_of([&] { containers().stop(created); }), Code::not_modified);
    EXPECT_EQ(status(created), Status::created);
    EXPECT_EQ(code_of([&] { containers().stop("nosuch"); }), Code::not_found);
}

TEST_F(Stop, SeveralWhoStopAtOnceAllReturnOnceItIsGone) {
    std::string id = ready(shell(kObedient));
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&] {
            try {
                containers().stop(id);
            } catch (const Error& e) {
                if (e.code() != Code::not_modified) ++wrong;
            }
            if (status(id) != Status::exited) ++wrong;
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
}

TEST_F(Stop, StartingTwiceIsNotModified) {
    std::string id = ready(shell(kObedient));
    int pid = containers().inspect(id).pid;
    EXPECT_EQ(code_of([&] { containers().start(id); }), Code::not_modified);
    EXPECT_EQ(containers().inspect(id).pid, pid);
}

TEST_F(Stop, KillTakesNamesAndNumbers) {
    ContainerSpec spec = shell(
        "trap 'echo one' USR1; trap 'echo two' USR2; trap 'echo rt' RTMIN+3; echo ready; while :; do sleep 0.02; done");
    std::string id = ready(spec);
    containers().kill(id, "USR1");
    EXPECT_TRUE(wait_for_log(id, "one\n"));
    containers().kill(id, "SIGUSR2");
    EXPECT_TRUE(wait_for_log(id, "two\n"));
    containers().kill(id, "sigusr1");
    EXPECT_TRUE(wait_for_log(id, "two\none\n"));
    containers().kill(id, "12");
    EXPECT_TRUE(wait_for_log(id, "one\ntwo\n"));
    for (const char* bad : {"SIGNOTHING", "0", "65", "-1", "9x", "SIG"}) {
        EXPECT_EQ(code_of([&] { containers().kill(id, bad); }), Code::invalid_argument) << bad;
    }
    EXPECT_EQ(status(id), Status::running);
    containers().kill(id);
    EXPECT_EQ(containers().wait(id), 137);
    Code code = Code::internal;
    EXPECT_NE(refusal([&] { containers().kill(id); }, &code).find("is not running"), std::string::npos);
    EXPECT_EQ(code, Code::conflict);
}

TEST_F(Stop, ARestartHasANewProcessAndTheSameFiles) {
    std::string id =
        ready(shell("trap 'exit 0' TERM; cat /note; echo kept > /note; echo ready; while :; do sleep 0.02; done"));
    ContainerInfo before = containers().inspect(id);
    containers().restart(id);
    ContainerInfo after = containers().inspect(id);
    EXPECT_EQ(after.status, Status::running);
    EXPECT_NE(after.pid, before.pid);
    EXPECT_GT(after.started, before.started);
    EXPECT_FALSE(after.stopped_by_hand);
    EXPECT_EQ(after.restart_count, 0) << "only the policy's restarts count";
    EXPECT_TRUE(wait_for_log(id, "kept\n"));
    containers().stop(id);
    containers().restart(id);
    EXPECT_EQ(status(id), Status::running) << "what is stopped is started";
}

TEST_F(Stop, TwoRestartsAtOnceLeaveItRunningAndBothGoWell) {
    std::string id = ready(shell(kObedient));
    std::atomic<int> failed{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            try {
                containers().restart(id, 1);  // its signal may come before the trap is set
            } catch (const Error& e) {
                ++failed;
                ADD_FAILURE() << e.what();
            }
        });
    }
    threads.clear();
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(status(id), Status::running);
}

TEST_F(Stop, ARestartOfWhatRemovesItselfDoesNotRemoveIt) {
    ContainerSpec spec = shell(kObedient);
    spec.auto_remove = true;
    std::string id = ready(spec);
    containers().restart(id);
    EXPECT_EQ(status(id), Status::running);
    EXPECT_EQ(log_of(id).substr(0, 15), "ready\nstopping\n");
    containers().stop(id);
    EXPECT_TRUE(wait_until_gone(id));
}

TEST_F(Stop, EveryWaiterGetsTheExitCode) {
    std::string id = ready(shell("trap 'exit 4' TERM; echo ready; while :; do sleep 0.02; done"));
    std::vector<std::future<int>> waiters;
    for (int i = 0; i < 5; ++i)
        waiters.push_back(std::async(std::launch::async, [&] { return containers().wait(id); }));
    std::stop_source source;
    auto cancelled = std::async(
        std::launch::async, [&, token = source.get_token()] { return code_of([&] { containers().wait(id, token); }); });
    source.request_stop();
    EXPECT_EQ(cancelled.get(), Code::cancelled);
    containers().kill(id, "TERM");
    for (auto& waiter : waiters) EXPECT_EQ(waiter.get(), 4);
    EXPECT_EQ(containers().wait(id), 4) << "at once";
}

TEST_F(Stop, AWaiterOfWhatIsRemovedGetsItsExitCode) {
    std::string id = ready(shell(kStubborn));
    auto waiter = std::async(std::launch::async, [&] { return containers().wait(id); });
    containers().remove(id, {.force = true});
    // The waiter may come too late to find it.
    try {
        EXPECT_EQ(waiter.get(), 137);
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::not_found);
    }
}

TEST_F(Stop, ARunningContainerIsRemovedByForceOnly) {
    std::string id = ready(shell(kObedient, "busy"));
    Code code = Code::internal;
    EXPECT_EQ(
        refusal([&] { containers().remove("busy"); }, &code),
        "cannot remove container \"busy\": container is running: stop the container before removing or force remove");
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(status(id), Status::running);
    containers().remove("busy", {.force = true});
    EXPECT_EQ(code_of([&] { containers().remove("busy", {.force = true}); }), Code::not_found);
}

TEST_F(Stop, RemovingAtOnceFromManySidesRemovesOnce) {
    std::string id = ready(shell(kStubborn));
    std::atomic<int> removed{0}, others{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&] {
            try {
                containers().remove(id, {.force = true});
                ++removed;
            } catch (const Error& e) {
                if (e.code() != Code::not_found) ++others;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(removed, 1);
    EXPECT_EQ(others, 0);
}

TEST_F(Stop, ARenamedContainerIsFoundByItsNewNameAlone) {
    std::string id = ready(shell(kObedient, "old"));
    std::string other = containers().create(shell("true", "other"));
    containers().rename("old", "new");
    EXPECT_EQ(containers().inspect("new").id, id);
    EXPECT_EQ(code_of([&] { containers().inspect("old"); }), Code::not_found);
    EXPECT_EQ(code_of([&] { containers().rename("new", "other"); }), Code::conflict);
    EXPECT_EQ(code_of([&] { containers().rename("new", "new"); }), Code::invalid_argument);
    EXPECT_EQ(code_of([&] { containers().rename("new", ""); }), Code::invalid_argument);
    EXPECT_EQ(code_of([&] { containers().rename("new", "a/b"); }), Code::invalid_argument);
    EXPECT_NO_THROW(containers().create(shell("true", "old")));
    close_engine();
    open_engine();
    EXPECT_EQ(containers().inspect("new").status, Status::running) << "the name is on disk";
}

TEST_F(Stop, AnAmbiguousPrefixIsRefusedAndANameWinsOverAPrefix) {
    std::vector<std::string> ids;
    std::map<char, std::string> first;
    std::string shared;
    while (shared.empty()) {  // seventeen have two with the same first digit
        std::string id = containers().create(shell("true"));
        if (!first.emplace(id[0], id).second) shared = id.substr(0, 1);
    }
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { containers().inspect(shared); }, &code),
              "multiple IDs found with provided prefix: " + shared);
    EXPECT_EQ(code, Code::invalid_argument);
    std::string target = first.begin()->second;
    std::string named = containers().create(shell("true", target.substr(0, 12)));
    EXPECT_EQ(containers().inspect(target.substr(0, 12)).id, named);
    EXPECT_EQ(containers().inspect(target.substr(0, 13)).id, target);
    EXPECT_EQ(code_of([&] { containers().inspect(""); }), Code::not_found);
}

TEST_F(Stop, EventsTellTheWholeStoryInOrder) {
    uint64_t from = engine->events().next();
    ContainerSpec spec = shell(kObedient, "told");
    spec.labels = {{"app", "web"}};
    std::string id = ready(spec);
    containers().kill(id, "WINCH");
    containers().stop(id);
    containers().rename(id, "after");
    containers().remove(id);
    std::vector<std::string> actions;
    std::string exit_code, label;
    (void)engine->events().read(from,
                                [&](const Event& e) {
                                    if (e.type != "container") return;
                                    EXPECT_EQ(e.id, id);
                                    actions.push_back(e.action);
                                    if (e.action == "die") exit_code = e.attributes.at("exitCode");
                                    label = e.attributes.at("app");
                                },
                                {});
    EXPECT_EQ(actions,
              (std::vector<std::string>{"create", "start", "kill", "kill", "die", "stop", "rename", "destroy"}));
    EXPECT_EQ(exit_code, "7");
    EXPECT_EQ(label, "web");
}
