#include "tests/runtime/engine_fixture.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <future>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Exec : test::EngineFixture {
    void SetUp() override {
        EngineFixture::SetUp();
        ContainerSpec spec = shell("sleep 1000", "host");
        spec.environment = {"A=container", "B=container"};
        id = run(spec);
    }
    ExecResult command_of(ExecSpec spec, Nanoseconds timeout = std::chrono::seconds(10), size_t limit = 1 << 20) {
        return containers().exec(id, spec, timeout, limit);
    }
    /// The processes inside whose command line has this.
    size_t running(const std::string& part) {
        std::string text = exec(id, "ps").output;
        size_t count = 0;
        for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
        return count;
    }
    std::string id;
};

}  // namespace

TEST_F(Exec, ExitCodesAndOutputComeBack) {
    ExecResult result = exec(id, "echo out; echo err >&2; exit 42");
    EXPECT_EQ(result.exit_code, 42);
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.output, "out\nerr\n");
    EXPECT_EQ(exec(id, "kill -9 $$").exit_code, 137);
    EXPECT_EQ(exec(id, "kill -TERM $$").exit_code, 143);
}

TEST_F(Exec, WhatCantBeExecutedHasDockersCodesAndSaysWhy) {
    ExecResult result = command_of(command({"nosuch"}));
    EXPECT_EQ(result.exit_code, 127);
    EXPECT_NE(result.output.find("exec: \"nosuch\": executable file not found in $PATH"), std::string::npos)
        << result.output;
    result = command_of(command({"/etc/passwd"}));
    EXPECT_EQ(result.exit_code, 126);
    EXPECT_NE(result.output.find("exec: \"/etc/passwd\": permission denied"), std::string::npos) << result.output;
    EXPECT_EQ(code_of([&] { command_of(command({})); }), Code::invalid_argument);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd read_end(ends[0]), write_end(ends[1]);
    EXPECT_EQ(containers().begin_exec(id, command({"nosuch"}), -1, -1, write_end.get())->wait(), 127);
    write_end.reset();
    EXPECT_NE(read_all(read_end.get(), 4096).find("executable file not found in $PATH"), std::string::npos)
        << "whoever looks at the streams is told";
}

TEST_F(Exec, UserEnvironmentAndWorkingDirectoryAreTheContainersOrItsOwn) {
    ExecSpec spec = command({"sh", "-c", "id -u; pwd; echo $A $B $C; echo $HOME; echo $HOSTNAME"});
    EXPECT_EQ(command_of(spec).output, "0\n/\ncontainer container\n/root\n" + id.substr(0, 12) + "\n");
    spec.user = "user";
    spec.working_dir = "/tmp";
    spec.environment = {"B=exec", "C=exec"};
    EXPECT_EQ(command_of(spec).output, "1000\n/tmp\ncontainer exec exec\n/home/user\n" + id.substr(0, 12) + "\n");
    spec.user = "1234:99";
    EXPECT_EQ(command_of(spec).output.substr(0, 5), "1234\n");
    spec.user = "nosuch";
    EXPECT_EQ(refusal([&] { command_of(spec); }), "unable to find user nosuch: no matching entries in passwd file");
    spec.user = "";
    spec.working_dir = "relative";
    EXPECT_EQ(refusal([&] { command_of(spec); }), "Cwd must be an absolute path: relative");
}

TEST_F(Exec, TheHostnameIsTheSameAsTheFirstProcesses) {
    ContainerSpec spec = shell("echo $HOSTNAME; sleep 1000");
    spec.network_mode = "host";
    std::string host = run(spec);
    ASSERT_TRUE(wait_for_log(host, "\n"));
    EXPECT_EQ(exec(host, "echo $HOSTNAME").output, log_of(host));
    spec.network_mode = "container:" + id;
    std::string joined = run(spec);
    ASSERT_TRUE(wait_for_log(joined, "\n"));
    EXPECT_EQ(exec(joined, "echo $HOSTNAME").output, log_of(joined));
}

TEST_F(Exec, ATimeoutEndsTheWholeTree) {
    ExecResult result =
        command_of(command({"sh", "-c", "echo begun; sleep 4321 & sh -c 'sleep 4321; true' | cat; true"}),
                   std::chrono::milliseconds(300));
    EXPECT_TRUE(result.timed_out);
    EXPECT_EQ(result.exit_code, 137);
    EXPECT_EQ(result.output, "begun\n");
    EXPECT_EQ(running("sleep 4321"), 0u) << exec(id, "ps").output;
    EXPECT_EQ(running("sleep 1000"), 1u) << "the container's own process goes on";
}

TEST_F(Exec, ACancelledOneEndsToo) {
    std::stop_source source;
    auto one = std::async(std::launch::async, [&, token = source.get_token()] {
        return code_of([&] { containers().exec(id, command({"sh", "-c", "sleep 4321; true"}), {}, 100, token); });
    });
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd read_end(ends[0]), write_end(ends[1]);
    auto two = std::async(std::launch::async, [&, token = source.get_token()] {
        return code_of([&] {
            containers()
                .begin_exec(id, command({"sh", "-c", "echo x; sleep 4321; true"}), -1, write_end.get(), -1)
                ->wait(token);
        });
    });
    char byte;
    ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
    source.request_stop();
    EXPECT_EQ(one.get(), Code::cancelled);
    EXPECT_EQ(two.get(), Code::cancelled);
    EXPECT_EQ(running("sleep 4321"), 0u) << exec(id, "ps").output;
}

TEST_F(Exec, OutputIsCutAtTheLimitAndTheCommandStillEnds) {
    ExecResult result = command_of(command({"sh", "-c", "seq 1 100000; exit 5"}), std::chrono::seconds(10), 10);
    EXPECT_EQ(result.exit_code, 5);
    EXPECT_EQ(result.output, "1\n2\n3\n4\n5\n");
}

TEST_F(Exec, AnEndlessFloodIsEndedByTheTimeout) {
    auto begin = std::chrono::steady_clock::now();
    ExecResult result = command_of(command({"cat", "/dev/zero"}), std::chrono::milliseconds(200), 100);
    EXPECT_TRUE(result.timed_out);
    EXPECT_EQ(result.output.size(), 100u);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Exec, WhatIsLeftInTheBackgroundDoesNotKeepTheResult) {
    auto begin = std::chrono::steady_clock::now();
    ExecResult result =
        command_of(command({"sh", "-c", "cat /dev/zero & echo; sleep 100 & exit 6"}), std::chrono::seconds(10), 100);
    EXPECT_EQ(result.exit_code, 6);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    EXPECT_EQ(running("sleep 100\n"), 1u) << "Docker leaves it too";
}

TEST_F(Exec, StandardInputReachesIt) {
    Fd in = test::memory_file("some\ninput\n");
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd read_end(ends[0]), write_end(ends[1]);
    EXPECT_EQ(containers().begin_exec(id, command({"wc", "-l"}), in.get(), write_end.get(), -1)->wait(), 0);
    write_end.reset();
    EXPECT_EQ(read_all(read_end.get(), 4096), "2\n");
}

TEST_F(Exec, OnlyARunningContainerCanDoIt) {
    std::string created = containers().create(shell("true"));
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { exec(created, "true"); }, &code), "container " + created + " is not running");
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(code_of([&] { exec("nosuch", "true"); }), Code::not_found);
}

TEST_F(Exec, WhatNobodyWaitsForIsEnded) {
    auto execution = containers().begin_exec(id, command({"sh", "-c", "sleep 4321; true"}), -1, -1, -1);
    ASSERT_TRUE(execution->failure().empty());
    while (running("sleep 4321\n") == 0) (void)::poll(nullptr, 0, 5);
    execution.reset();
    EXPECT_EQ(running("sleep 4321"), 0u);
}

/// As a client does that takes no output: what is left of the command would keep the container's first process from
/// going.
TEST_F(Exec, WhatHasEndedGoesAlsoWhileNobodyAsksForIt) {
    auto execution = containers().begin_exec(id, command({"true"}), -1, -1, -1);
    pollfd ended{execution->ended_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 10000), 1);
    const std::string process = "/proc/" + std::to_string(execution->pid());
    for (int i = 0; i < 1000 && std::filesystem::exists(process); ++i) (void)::poll(nullptr, 0, 5);
    EXPECT_FALSE(std::filesystem::exists(process));
    containers().stop(id, 0);
    EXPECT_EQ(execution->wait(), 0);
}

TEST_F(Exec, AContainerThatEndsMeanwhileTakesItAlong) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd read_end(ends[0]), write_end(ends[1]);
    auto result = std::async(std::launch::async, [&] {
        return containers()
            .begin_exec(id, command({"sh", "-c", "echo x; sleep 1000; true"}), -1, write_end.get(), -1)
            ->wait();
    });
    char byte;
    ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
    containers().stop(id, 0);
    EXPECT_EQ(result.get(), 137);
}

TEST_F(Exec, ManyAtOnceWhileTheContainerEndsAllComeBack) {
    std::vector<std::future<void>> all;
    for (int i = 0; i < 8; ++i) {
        all.push_back(std::async(std::launch::async, [&] {
            for (int j = 0; j < 20; ++j) {
                try {
                    (void)exec(id, "true");
                } catch (const Error& e) {
                    if (e.code() != Code::conflict) throw;
                    return;
                }
            }
        }));
    }
    containers().stop(id, 0);
    for (auto& one : all) EXPECT_NO_THROW(one.get());
}

TEST_F(Exec, ItHasTheContainersLimitsAndAPrivilegedOneHasMore) {
    ContainerSpec spec = shell("sleep 1000");
    spec.cap_drop = {"ALL"};
    spec.resources.pids_limit = 20;
    std::string limited = run(spec);
    ExecResult result =
        exec(limited, "grep CapBnd /proc/self/status; i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done");
    EXPECT_NE(result.output.find("CapBnd:\t0000000000000000"), std::string::npos) << result.output;
    EXPECT_NE(result.output.find("can't fork"), std::string::npos) << result.output;
    containers().restart(limited, 0);
    ExecSpec privileged = command({"grep", "CapBnd", "/proc/self/status"});
    privileged.privileged = true;
    EXPECT_EQ(containers().exec(limited, privileged, std::chrono::seconds(10), 4096).output.find("0000000000000000"),
              std::string::npos);
}
