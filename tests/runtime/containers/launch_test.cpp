#include "runtime/shim/launch_plan.h"
#include "tests/runtime/containers/launch_fixture.h"

#include <signal.h>
#include <sys/syscall.h>

#include <regex>

namespace kedge::runtime {

TEST_F(LaunchTest, AShimOfAnotherVersionIsSaidToBeOne) {
    std::string program = slurp(shim_path());
    std::string version(reinterpret_cast<const char*>(&shim::kPlanMagic), sizeof shim::kPlanMagic);
    size_t found = 0;
    for (size_t at; (at = program.find(version)) != std::string::npos; found++) program[at] = '9';
    ASSERT_GT(found, 0u);
    const std::string other = root_ + "/kedge-shim";
    std::ofstream(other) << program;
    std::filesystem::permissions(other, std::filesystem::perms::owner_all);
    launcher_ = std::make_unique<Launcher>(other, instance_);
    const std::string said = refusal(request("v", {"true"}));
    EXPECT_TRUE(said.starts_with("kedge-shim is of another version than the agent")) << said;
    EXPECT_NE(said.find(std::string(version.rbegin(), version.rend())), std::string::npos) << said;
}

TEST_F(LaunchTest, AContainerRunsAndItsExitCodeIsRecorded) {
    EXPECT_EQ(run(request("a", {"true"})).exit_code, 0);
    EXPECT_EQ(run(request("b", {"/bin/false"})).exit_code, 1);
    ExitRecord record = run(shell("c", "echo out; echo err >&2; exit 42"));
    EXPECT_EQ(record.exit_code, 42);
    EXPECT_FALSE(record.oom_killed);
    EXPECT_LT(std::chrono::abs(wall_now() - record.finished), std::chrono::minutes(1));
    EXPECT_EQ(output("c", "stdout"), "out\n");
    EXPECT_EQ(output("c", "stderr"), "err\n");
}

TEST_F(LaunchTest, ASignalThatKillsShowsAsTheShellWouldShowIt) {
    Launched launched = start(request("k", {"sleep", "100"}));
    ASSERT_EQ(::syscall(SYS_pidfd_send_signal, launched.init_pidfd.get(), SIGKILL, nullptr, 0), 0);
    EXPECT_EQ(await_exit("k", launched).exit_code, 137);
}

TEST_F(LaunchTest, TheFirstProcessHasNumberOneAndOnlyItsOwnThreeDescriptors) {
    EXPECT_EQ(print("p", "echo $$; ls /proc/self/fd | tr '\\n' ' '"), "1\n0 1 2 3 ");  // 3: ls reading the folder
    EXPECT_EQ(print("q", "readlink /proc/self/fd/0; grep -E 'SigBlk|SigIgn' /proc/self/status | tr -d '\\n\\t '"),
              "/dev/null\nSigBlk:0000000000000000SigIgn:0000000000000000");
}

TEST_F(LaunchTest, EnvironmentArgumentsAndWorkingDirectoryArrive) {
    LaunchRequest r = request("e", {"/bin/sh", "-c", "env; pwd; echo \"[$0][$1]\"", "", "two words"});
    r.environment.push_back("A=b c");
    r.working_dir = "/made/on/the/way";
    run(r);
    EXPECT_NE(output("e").find("A=b c\n"), std::string::npos);
    EXPECT_NE(output("e").find("HOME=/root\n"), std::string::npos);
    EXPECT_NE(output("e").find("/made/on/the/way\n[][two words]\n"), std::string::npos);
    EXPECT_EQ(print("h", "hostname"), "h\n");
}

TEST_F(LaunchTest, TheUserComesFromTheContainersOwnFiles) {
    auto id_of = [&](const std::string& id, const std::string& user, std::vector<std::string> more) {
        LaunchRequest r = shell(id, "id -u; id -g; id -G; echo $HOME; echo x >/dev/stdout");
        r.user = user;
        r.spec.group_add = std::move(more);
        run(r);
        return output(id);
    };
    EXPECT_EQ(id_of("u1", "", {}), "0\n0\n0\n/root\nx\n");
    EXPECT_EQ(id_of("u2", "app", {}), "1000\n1000\n1000 29\n/home/app\nx\n");
    EXPECT_EQ(id_of("u3", "app:extra", {"audio", "55"}), "1000\n77\n77 29 55\n/home/app\nx\n");
    EXPECT_EQ(id_of("u4", "4242", {}), "4242\n0\n0\n/\nx\n");
    LaunchRequest r = request("u5", {"true"});
    r.user = "nobodyhere";
    EXPECT_EQ(refusal(r), "unable to find user nobodyhere: no matching entries in passwd file");
    r.user = "0:nogroup";
    EXPECT_EQ(refusal(r), "unable to find group nogroup: no matching entries in group file");
}

TEST_F(LaunchTest, AUserDatabaseInAnUpperLayerHidesTheOneBelow) {
    std::string top = root_ + "/layers/top/fs";
    make_folders(AT_FDCWD, top + "/etc");
    std::ofstream(top + "/etc/passwd") << "root:x:0:0::/other:/bin/sh\n";
    LaunchRequest r = shell("l", "echo $HOME");
    r.layers = {top, layer_};
    run(r);
    EXPECT_EQ(output("l"), "/other\n");
}

TEST_F(LaunchTest, WhatCantBeExecutedIsToldInDockersWords) {
    int code = 0;
    EXPECT_EQ(refusal(request("x1", {"nosuch"}), &code), "exec: \"nosuch\": executable file not found in $PATH");
    EXPECT_EQ(code, 127);
    EXPECT_EQ(refusal(request("x2", {"/no/such"}), &code), "exec: \"/no/such\": no such file or directory");
    EXPECT_EQ(code, 127);
    EXPECT_EQ(refusal(request("x3", {"/etc/passwd"}), &code), "exec: \"/etc/passwd\": permission denied");
    EXPECT_EQ(code, 126);
    EXPECT_EQ(refusal(request("x4", {"/etc"}), &code), "exec: \"/etc\": is a directory: permission denied");
    EXPECT_EQ(code, 126);
    LaunchRequest r = request("x5", {"true"});
    r.working_dir = "/etc/passwd";
    EXPECT_EQ(refusal(r, &code), "chdir to cwd (\"/etc/passwd\") set in config.json failed: not a directory");
    EXPECT_EQ(code, 128);
    EXPECT_EQ(refusal(request("x6", {}), &code), "no command specified");
    r = request("x7", {"true"});
    r.mounts = {bind("/no/such/source", "/data")};
    EXPECT_NE(refusal(r).find("/no/such/source"), std::string::npos);
}

TEST_F(LaunchTest, AFailureInTheNetworkWiringLeavesNothingBehind) {
    LaunchRequest r = request("n", {"true"});
    EXPECT_THROW(launcher_->launch(
                     r, [](int) { throw Error(Code::conflict, "port in use"); }, {}, nullptr),
                 Error);
    EXPECT_FALSE(std::filesystem::exists(r.run_folder));
}

TEST_F(LaunchTest, TheNetworkIsWiredBeforeTheProgramRuns) {
    LaunchRequest r = shell("w", "cat /proc/self/net/dev | grep -c :; readlink /proc/self/ns/net");
    ino_t inode = 0;
    Launched launched = launcher_->launch(
        r,
        [&](int netns) {
            struct stat info {};
            ASSERT_EQ(::fstat(netns, &info), 0);
            inode = info.st_ino;
        },
        {}, nullptr);
    started_.push_back("w");
    (void)await_exit("w", launched);
    EXPECT_NE(output("w").find("net:[" + std::to_string(inode) + "]"), std::string::npos) << output("w");
}

TEST_F(LaunchTest, ATerminalIsTheProcessesOwn) {
    LaunchRequest r = shell("t", "tty; test -t 0 && test -c /dev/console && echo yes");
    r.spec.tty = true;
    EXPECT_EQ(run(r).exit_code, 0);
    EXPECT_EQ(output("t"), "/dev/pts/0\r\nyes\r\n");
}

TEST_F(LaunchTest, AnOpenStandardInputStaysOpen) {
    LaunchRequest r = request("o", {"cat"});
    r.spec.open_stdin = true;
    Launched launched = start(r);
    EXPECT_FALSE(wait_readable(launched.shim_pidfd.get(), 100)) << "cat saw an end";
}

TEST_F(LaunchTest, TheInitReapsForwardsSignalsAndGivesTheCodeOn) {
    LaunchRequest r = shell("i1", "sh -c 'sleep 0.05 & :' ; sleep 0.3; cat /proc/[0-9]*/stat | grep -c ' Z '; exit 7");
    r.spec.init = true;
    EXPECT_EQ(run(r).exit_code, 7);
    EXPECT_EQ(output("i1"), "0\n") << "an orphan was not reaped";
    r = shell("i2", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    r.spec.init = true;
    Launched launched = start(r);
    for (int i = 0; i < 400 && log("i2").empty(); i++) (void)wait_readable(launched.shim_pidfd.get(), 10);
    ASSERT_EQ(::syscall(SYS_pidfd_send_signal, launched.init_pidfd.get(), SIGTERM, nullptr, 0), 0);
    EXPECT_EQ(await_exit("i2", launched).exit_code, 9);
}

TEST_F(LaunchTest, TheBundleSaysWhatWasStarted) {
    run(request("b", {"true"}));
    std::string config = slurp(run_folder("b") + "/config.json");
    EXPECT_NE(config.find("\"ociVersion\""), std::string::npos);
    EXPECT_NE(config.find("/proc/kcore"), std::string::npos);
}

TEST_F(LaunchTest, AnImageOf127LayersStarts) {
    LaunchRequest r = shell("m", "ls / | grep -c ^f");
    for (int i = 0; i < 126; i++) {
        char name[32];
        std::snprintf(name, sizeof name, "/layers/%016d/fs", i);
        make_folders(AT_FDCWD, root_ + name);
        std::ofstream(root_ + name + "/f" + std::to_string(i)) << "x";
        r.layers.insert(r.layers.begin(), root_ + name);
    }
    ASSERT_EQ(r.layers.size(), 127u);
    run(r);
    EXPECT_EQ(output("m"), "126\n");
}

}  // namespace kedge::runtime
