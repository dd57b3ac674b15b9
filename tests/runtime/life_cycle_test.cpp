#include "tests/runtime/engine_fixture.h"

#include <algorithm>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct LifeCycle : test::EngineFixture {
    /// What create or start says; empty if it went well.
    std::string refusal(const ContainerSpec& spec, Code* code = nullptr) {
        try {
            run(spec);
            return {};
        } catch (const Error& e) {
            if (code) *code = e.code();
            return e.what();
        }
    }

    /// Whether a container's event with this action came, from event `from` on, within ten seconds.
    bool saw(uint64_t from, const std::string& action) {
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        bool found = false;
        while (!found && std::chrono::steady_clock::now() < deadline) {
            from = engine->events().read(
                from, [&](const Event& e) { found = found || (e.type == "container" && e.action == action); }, {},
                deadline);
        }
        return found;
    }
};

}  // namespace

TEST_F(LifeCycle, AContainerIsCreatedStartedWaitedForAndRemoved) {
    std::string id = containers().create(shell("echo hello; exit 3", "first"));
    EXPECT_EQ(id.size(), 64u);
    EXPECT_EQ(containers().inspect("first").status, Status::created);
    containers().start("first");
    EXPECT_EQ(containers().wait(id.substr(0, 12)), 3);
    ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(info.status, Status::exited);
    EXPECT_EQ(info.exit_code, 3);
    EXPECT_EQ(info.pid, 0);
    EXPECT_GE(info.finished, info.started);
    EXPECT_EQ(log_of(id), "hello\n");
    containers().remove("first");
    EXPECT_THROW(containers().inspect("first"), Error);
    EXPECT_TRUE(containers().list().empty());
}

TEST_F(LifeCycle, StandardOutputAndErrorAreToldApart) {
    std::string id = run(shell("echo out; echo err >&2"));
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id, {.err = false}), "out\n");
    EXPECT_EQ(log_of(id, {.out = false}), "err\n");
}

TEST_F(LifeCycle, WhoIsAttachedBeforeTheStartMissesNothingOfAContainerThatIsRemovedAtItsEnd) {
    ContainerSpec spec = shell("echo out; echo err >&2; exit 4");
    spec.auto_remove = true;
    for (int i = 0; i < 20; ++i) {
        std::string id = containers().create(spec), text;
        Containers::AttachedOutput output = containers().attach(id, {});
        uint64_t from = engine->events().next();
        containers().start(id);
        ASSERT_TRUE(saw(from, "destroy"));  // it is gone before anything is read
        output([&](const LogLine& line) { return text += line.err ? "2:" + line.text : "1:" + line.text, true; }, {});
        std::string other = text.starts_with("1:") ? "1:out\n2:err\n" : "2:err\n1:out\n";
        EXPECT_EQ(text, other);
    }
}

TEST_F(LifeCycle, WhoIsAttachedReadsFromNowToTheEndOfTheRun) {
    std::string id = containers().create(shell("echo before; until [ -e /go ]; do sleep 0.02; done; echo after")), text;
    containers().start(id);
    ASSERT_TRUE(wait_for_log(id, "before"));
    Containers::AttachedOutput output = containers().attach(id, {.tail = 0});
    ExecSpec touch;
    touch.arguments = {"touch", "/go"};
    EXPECT_EQ(containers().exec(id, touch, std::chrono::seconds(10), 1000).exit_code, 0);
    output([&](const LogLine& line) { return text += line.text, true; }, {});
    EXPECT_EQ(text, "after\n");
    EXPECT_EQ(containers().wait(id), 0);

    // Attached to one that has ended, it waits for the next run.
    output = containers().attach(id, {.tail = 0});
    text.clear();
    containers().start(id);
    output([&](const LogLine& line) { return text += line.text, true; }, {});
    EXPECT_EQ(text, "before\nafter\n");
}

TEST_F(LifeCycle, WhoIsAttachedToWhatNeverStartsCanStopWaiting) {
    std::string id = containers().create(shell("true"));
    Containers::AttachedOutput output = containers().attach(id, {});
    std::stop_source stop;
    stop.request_stop();
    EXPECT_THROW(output([](const LogLine&) { return true; }, stop.get_token()), Error);
}

TEST_F(LifeCycle, AStoppedContainerStartsAgainWithItsFiles) {
    std::string id = run(shell("cat /note 2>/dev/null; echo kept > /note"));
    EXPECT_EQ(containers().wait(id), 0);
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id), "kept\n");
}

TEST_F(LifeCycle, WhyACommandCouldNotBeExecutedIsToldToTheOneWhoAsked) {
    std::string id = run(shell("sleep 1000"));
    ExecSpec spec;
    spec.arguments = {"nosuch"};
    std::string words = "exec: \"nosuch\": executable file not found in $PATH";
    ExecResult result = containers().exec(id, spec, std::chrono::seconds(10), 100);
    EXPECT_EQ(result.exit_code, 127);
    EXPECT_EQ(result.error, words);
    Fd err = test::memory_file("");
    EXPECT_EQ(containers().exec_with(id, spec, -1, -1, err.get()), 127);
    ASSERT_EQ(::lseek(err.get(), 0, SEEK_SET), 0);
    EXPECT_EQ(read_all(err.get(), 1000), words + "\n");
}
