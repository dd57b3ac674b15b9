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
    EXPECT_EQ(containers().begin_exec(id, spec, -1, -1, err.get())->wait(), 127);
    ASSERT_EQ(::lseek(err.get(), 0, SEEK_SET), 0);
    EXPECT_EQ(read_all(err.get(), 1000), words + "\n");
}
