#include "runtime/containers/cgroups.h"
#include "tests/runtime/engine_fixture.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <future>

using namespace kedge;
using namespace kedge::runtime;

namespace {

constexpr const char* kObedient = "trap 'echo stopping; exit 7' TERM; echo ready; while :; do sleep 0.02; done";
constexpr const char* kStubborn = "trap '' TERM; echo ready; while :; do sleep 0.02; done";

struct Pause : test::EngineFixture {
    std::string ready(const ContainerSpec& spec) {
        std::string id = run(spec);
        EXPECT_TRUE(wait_for_log(id, "ready"));
        return id;
    }
    std::string paused(const ContainerSpec& spec) {
        std::string id = ready(spec);
        containers().pause(id);
        return id;
    }
    Status status(const std::string& id) { return containers().inspect(id).status; }

    /// Events of containers since the number, as `pause unpause`.
    std::string events_since(uint64_t from) {
        std::string text;
        auto add = [&](const Event& event) {
            if (event.type == "container") text += (text.empty() ? "" : " ") + event.action;
        };
        (void)engine->events().read(from, add, {}, std::chrono::steady_clock::now());
        return text;
    }
    uint64_t now() { return engine->events().next(); }
};

}  // namespace

TEST_F(Pause, StopsEveryProcessUntilItIsLetGo) {
    std::string id = ready(shell("echo ready; while :; do echo tick; sleep 0.01; done"));
    ASSERT_TRUE(wait_for_log(id, "tick"));
    uint64_t from = now();
    containers().pause(id);
    EXPECT_EQ(status(id), Status::paused);
    std::string before = log_of(id);
    // What it had written may still be on its way through the shim; nothing comes after that.
    for (std::string next = log_of(id); next != before; next = log_of(id)) before = next;
    containers().unpause(id);
    EXPECT_EQ(status(id), Status::running);
    EXPECT_TRUE(wait_for_log(id, before + "tick"));
    EXPECT_EQ(events_since(from), "pause unpause");
    containers().stop(id, 0);
}

TEST_F(Pause, IsRefusedWhereItMakesNoSenseInDockersWords) {
    std::string id = ready(shell(kObedient, "web"));
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { containers().unpause("web"); }, &code), "Container " + id + " is not paused");
    EXPECT_EQ(code, Code::conflict);
    containers().pause("web");
    EXPECT_EQ(refusal([&] { containers().pause("web"); }, &code), "Container " + id + " is already paused");
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(refusal([&] { containers().start("web"); }, &code),
              "cannot start a paused container, try unpause instead");
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(refusal([&] { containers().remove("web"); }),
              "cannot remove container \"web\": container is paused and must be unpaused first");
    EXPECT_EQ(refusal([&] { (void)exec("web", "true"); }, &code),
              "Container web is paused, unpause the container before exec");
    EXPECT_EQ(code, Code::conflict);
    containers().stop(id);
    EXPECT_EQ(refusal([&] { containers().pause("web"); }), "container " + id + " is not running");
    EXPECT_EQ(refusal([&] { containers().unpause("web"); }), "Container " + id + " is not paused");
    EXPECT_EQ(code_of([&] { containers().pause("nosuch"); }), Code::not_found);
}

TEST_F(Pause, AStopLetsItGoSoThatItCanEndByItself) {
    std::string id = paused(shell(kObedient));
    uint64_t from = now();
    containers().stop(id);
    EXPECT_EQ(containers().inspect(id).exit_code, 7);
    EXPECT_EQ(log_of(id), "ready\nstopping\n");
    EXPECT_EQ(events_since(from), "kill unpause die stop");
}

TEST_F(Pause, AStopKillsWhatDoesNotEnd) {
    std::string id = paused(shell(kStubborn));
    containers().stop(id, 0);
    EXPECT_EQ(containers().inspect(id).exit_code, 137);
}

TEST_F(Pause, ARestartRunsAgain) {
    std::string id = paused(shell(kObedient));
    int pid = containers().inspect(id).pid;
    containers().restart(id);
    EXPECT_EQ(status(id), Status::running);
    EXPECT_NE(containers().inspect(id).pid, pid);
}

TEST_F(Pause, KillsAndTheStopSignalReachIt) {
    std::string id = paused(shell(kStubborn));
    uint64_t from = now();
    containers().kill(id);
    EXPECT_EQ(containers().wait(id), 137);
    EXPECT_EQ(events_since(from), "kill die");
    std::string other = paused(shell(kObedient));
    containers().kill(other, "TERM");
    EXPECT_EQ(containers().wait(other), 7);
}

TEST_F(Pause, AnotherSignalWaitsUntilItIsLetGo) {
    std::string id = paused(shell("trap 'echo hup' HUP; echo ready; while :; do sleep 0.02; done"));
    containers().kill(id, "HUP");
    EXPECT_EQ(status(id), Status::paused);
    EXPECT_EQ(log_of(id), "ready\n");
    containers().unpause(id);
    EXPECT_TRUE(wait_for_log(id, "hup"));
}

TEST_F(Pause, ARemovalByForceComesBack) {
    for (int i = 0; i < 3; ++i) {
        std::string id = paused(shell(kStubborn));
        containers().remove(id, {.force = true});
        EXPECT_EQ(code_of([&] { (void)containers().inspect(id); }), Code::not_found);
    }
}

TEST_F(Pause, WhatKillsItselfIsSeenToEnd) {
    // Another process of the host may kill what is paused: here the test.
    ContainerSpec spec = shell(kStubborn);
    std::string id = paused(spec);
    ASSERT_EQ(::kill(containers().inspect(id).pid, SIGKILL), 0);
    containers().unpause(id);  // on cgroup v1 the signal waits for this
    EXPECT_EQ(containers().wait(id), 137);
}

TEST_F(Pause, WaitersAndReadersOfTheLogWaitOn) {
    std::string id = paused(shell(kObedient));
    auto waiter = std::async(std::launch::async, [&] { return containers().wait(id); });
    auto reader = std::async(std::launch::async, [&] { return wait_for_log(id, "stopping"); });
    EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
    containers().stop(id);
    EXPECT_EQ(waiter.get(), 7);
    EXPECT_TRUE(reader.get());
}

TEST_F(Pause, AFailedProbeOfWhatIsPausedIsNoFailure) {
    ContainerSpec spec = shell(kObedient);
    spec.healthcheck = Healthcheck{.test = {"CMD", "true"}, .retries = 1};
    std::string id = paused(spec);
    Health failed;
    failed.status = Health::Status::unhealthy;
    EXPECT_FALSE(containers().set_health(id, failed, containers().inspect(id).started));
    EXPECT_EQ(containers().inspect(id).health.status, Health::Status::starting);
}

TEST_F(Pause, TheNextAgentFindsItPausedAndAnotherOneRunning) {
    std::string stays = paused(shell(kObedient, "stays")), goes_on = paused(shell(kObedient, "goes-on"));
    close_engine();
    // As if the agent had died between stopping or letting go and writing it down.
    {
        Database raw(options.root + "/kedge.db");
        raw.transaction(Database::Durability::process, [&](SQLite::Database& db) {
            db.exec(
                "UPDATE containers SET state = replace(state, '\"status\":\"paused\"', '\"status\":\"running\"') "
                "WHERE name = 'stays'");
        });
    }
    for (const std::string& root : group_roots(instance)) {
        for (const char* file : {"/cgroup.freeze", "/freezer.state"}) {
            std::string path = root + "/" + goes_on + file;
            if (::access(path.c_str(), F_OK) != 0) continue;
            Fd control = open_at(AT_FDCWD, path, O_WRONLY);
            write_all(control.get(), std::string(file) == "/cgroup.freeze" ? "0" : "THAWED");
        }
    }
    open_engine();
    EXPECT_EQ(status(stays), Status::paused);
    EXPECT_EQ(status(goes_on), Status::running);
    containers().unpause(stays);
    EXPECT_TRUE(exec(stays, "true").exit_code == 0);
    containers().pause(goes_on);
    close_engine();
    open_engine();
    EXPECT_EQ(status(goes_on), Status::paused);
    containers().stop(goes_on);
    EXPECT_EQ(containers().inspect(goes_on).exit_code, 7);
}

TEST_F(Pause, PausingAndEndingAtOnceAgree) {
    for (int i = 0; i < 20; ++i) {
        std::string id = run(shell("exit 3"));
        try {
            containers().pause(id);
            containers().unpause(id);
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::conflict) << e.what();
        }
        EXPECT_EQ(containers().wait(id), 3);
        containers().remove(id);
    }
}

TEST_F(Pause, ManyAtOnceEndInOneOfTheTwoStates) {
    std::string id = ready(shell(kObedient));
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < 5; ++round) {
                try {
                    if (i % 3 == 0)
                        containers().pause(id);
                    else if (i % 3 == 1)
                        containers().unpause(id);
                    else
                        (void)exec(id, "true");
                } catch (const Error& e) {
                    if (e.code() != Code::conflict) ++wrong;
                }
            }
            // Commands that were frozen on their way go on.
            if (i % 3 == 0) {
                try {
                    containers().unpause(id);
                } catch (const Error&) {
                }
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
    containers().stop(id);
    EXPECT_EQ(containers().inspect(id).exit_code, 7);
}

TEST_F(Pause, WhileItIsBeingStoppedItRunsIfItIsSaidToRun) {
    const Cgroups groups;
    for (int i = 0; i < 3; ++i) {
        const std::string id = paused(shell(kStubborn));
        std::atomic<bool> over{false};
        uint64_t from = now();
        std::jthread stopping([&] {
            EXPECT_NO_THROW(containers().stop(id, 1));
            over = true;
        });
        bool told = false;
        while (!told && !over)
            from = engine->events().read(
                from, [&](const Event& event) { told = told || event.action == "kill"; }, {},
                std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
        auto unless_refused = [](auto&& step) {
            try {
                step();
            } catch (const Error& e) {
                EXPECT_EQ(e.code(), Code::conflict) << e.what();
            }
        };
        unless_refused([&] { containers().unpause(id); });
        unless_refused([&] { containers().pause(id); });
        // Nobody but the stop changes it from here on.
        bool stood_still = false;
        while (!over) {
            const bool runs = status(id) == Status::running;
            stood_still =
                stood_still || (runs && groups.is_frozen(instance + "/" + id) && status(id) == Status::running);
        }
        EXPECT_FALSE(stood_still) << "it was said to run";
        stopping.join();
        EXPECT_EQ(status(id), Status::exited);
        containers().remove(id, {.force = true});
    }
}
