#include "runtime/containers/launch_process.h"
#include "tests/runtime/containers/launch_fixture.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <filesystem>
#include <optional>
#include <thread>

namespace kedge::runtime {

class ExecTest : public LaunchTest {
protected:
    struct Result {
        int code = -1;
        std::string output;
        std::string error;
    };

    Launcher::ExecRequest command(std::vector<std::string> arguments) {
        Launcher::ExecRequest r;
        r.arguments = std::move(arguments);
        r.environment = {"PATH=/bin"};
        return r;
    }

    Result exec(const std::string& id, Launcher::ExecRequest r, const ContainerSpec& spec = {}) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        Fd read_end(ends[0]), write_end(ends[1]);
        r.out = r.err = write_end.get();
        Launcher::Exec process = launcher_->exec(id, launcher_->find(run_folder(id)), spec, r);
        write_end.reset();
        Result result;
        result.error = process.error;
        result.output = read_all(read_end.get(), 1 << 20);
        result.code = end_of(*process.process);
        return result;
    }

    static int end_of(Child& child) {
        EXPECT_TRUE(await_end(child.pidfd().get(), 10000));
        return child.exit_code().value_or(-1);
    }

    /// A child of this process that has ended and that nobody has reaped; 0: none.
    static int zombie() {
        siginfo_t info{};
        EXPECT_EQ(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), 0) << "not even a container's shim is there";
        return info.si_pid;
    }
};

TEST_F(ExecTest, AFurtherProcessIsInTheContainer) {
    LaunchRequest r = request("e", {"sleep", "1000"});
    Launched launched = start(r);
    Result result =
        exec("e", command({"sh", "-c",
                           "hostname; ls /proc/1/exe >/dev/null && cat /proc/1/comm; cat /proc/self/cgroup; grep -E "
                           "'CapEff|Seccomp:' /proc/self/status | tr -d '\\t'; exit 17"}));
    EXPECT_EQ(result.code, 17);
    EXPECT_TRUE(result.output.starts_with("e\nsleep\n")) << result.output;
    EXPECT_NE(result.output.find("CapEff:00000000a80425fb\nSeccomp:2\n"), std::string::npos) << result.output;
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);)
        if (line.find(":/") != std::string::npos) {
            EXPECT_TRUE(line.ends_with(":/")) << "in another cgroup: " << line;
        }
    auto same = [&](const char* kind) {
        Result there = exec("e", command({"readlink", std::string("/proc/self/ns/") + kind}));
        std::string own = std::filesystem::read_symlink("/proc/" + std::to_string(launched.init.pid) + "/ns/" + kind);
        EXPECT_EQ(there.output, own + "\n");
    };
    for (const char* kind : {"pid", "mnt", "net", "uts", "ipc", "cgroup"}) same(kind);
}

TEST_F(ExecTest, UserWorkingDirectoryAndPrivilegeAreItsOwn) {
    start(request("u", {"sleep", "1000"}));
    Launcher::ExecRequest r =
        command({"sh", "-c", "id -u; pwd; echo $HOME; grep CapEff /proc/self/status | tr -d '\\t'"});
    r.user = "app";
    r.working_dir = "/tmp";
    EXPECT_EQ(exec("u", r).output, "1000\n/tmp\n/home/app\nCapEff:0000000000000000\n");
    r = command({"grep", "Seccomp:", "/proc/self/status"});
    r.privileged = true;
    EXPECT_EQ(exec("u", r).output, "Seccomp:\t0\n");
    r.user = "ghost";
    EXPECT_THROW(exec("u", r), Error);
    EXPECT_EQ(zombie(), 0);
}

TEST_F(ExecTest, WhatCantBeExecutedHasDockersWordsAndCodes) {
    start(request("x", {"sleep", "1000"}));
    Result result = exec("x", command({"nosuch"}));
    EXPECT_EQ(result.code, 127);
    EXPECT_EQ(result.error, "exec: \"nosuch\": executable file not found in $PATH");
    result = exec("x", command({"/etc/passwd"}));
    EXPECT_EQ(result.code, 126);
    EXPECT_EQ(result.error, "exec: \"/etc/passwd\": permission denied");
    EXPECT_THROW(exec("nobody", command({"true"})), Error);
}

TEST_F(ExecTest, WhoSeesItsEndFirstReapsIt) {
    Launched launched = start(request("k", {"sleep", "1000"}));
    Launcher::Exec process = launcher_->exec("k", launched, {}, command({"sh", "-c", "sleep 4242; true"}));
    EXPECT_EQ(process.process->exit_code(), std::nullopt);
    process.process->kill_with_descendants();
    EXPECT_EQ(end_of(*process.process), 137);
    EXPECT_EQ(process.process->exit_code(), 137);
    EXPECT_EQ(zombie(), 0);
    EXPECT_EQ(exec("k", command({"sh", "-c", "ps | grep -c '[4]242'"})).output, "0\n");
}

TEST_F(ExecTest, ThisThreadsChildrenStayInItsOwnProcessNamespace) {
    Launched launched = start(request("n", {"sleep", "1000"}));
    const std::string inside = std::filesystem::read_symlink("/proc/" + std::to_string(launched.init.pid) + "/ns/pid");
    EXPECT_EQ(exec("n", command({"readlink", "/proc/self/ns/pid"})).output, inside + "\n");
    EXPECT_EQ(std::filesystem::read_symlink("/proc/thread-self/ns/pid_for_children"),
              std::filesystem::read_symlink("/proc/self/ns/pid"));
    std::thread([] {}).join();  // a thread whose children were born elsewhere could make none
}

TEST_F(ExecTest, TheEndOfTheContainerEndsIt) {
    Launched launched = start(request("z", {"sleep", "1000"}));
    Launcher::Exec process = launcher_->exec("z", launched, {}, command({"sleep", "1000"}));
    ASSERT_EQ(::syscall(SYS_pidfd_send_signal, launched.init_pidfd.get(), SIGKILL, nullptr, 0), 0);
    EXPECT_EQ(end_of(*process.process), 137);
}

TEST_F(ExecTest, AProgramThatIsNotThereIsAnErrorAndNoProcess) {
    start(request("s", {"sleep", "1000"}));
    try {
        (void)spawn_shim("/nosuch/kedge-shim", "exec", {0, 1, 2});
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(std::string(e.what()), "start /nosuch/kedge-shim: no such file or directory");
    }
    try {
        (void)spawn_shim("/bin/true", "exec", {0, 987654});
        FAIL() << "a descriptor that isn't open was passed";
    } catch (const Error& e) {
        EXPECT_EQ(std::string(e.what()), "start /bin/true: bad file descriptor");
    }
    EXPECT_EQ(zombie(), 0);
}

}  // namespace kedge::runtime
