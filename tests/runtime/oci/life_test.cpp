#include "tests/runtime/oci/oci_fixture.h"

namespace kedge::oci {
namespace {

TEST_F(OciTest, AContainerGoesThroughItsLife) {
    script("echo ran > /data/ran; exit 7");
    config_["annotations"] = {{"org.example.who", "me"}};
    create();
    EXPECT_EQ(status(), "created");
    EXPECT_EQ(state()["annotations"]["org.example.who"], "me");
    EXPECT_EQ(state()["bundle"], bundle());
    EXPECT_EQ(state()["id"], "c");
    EXPECT_FALSE(std::filesystem::exists(root_folder() + "/data/ran")) << "it ran before its start";
    const int pid = state()["pid"];
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    start();
    pollfd watched{pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&watched, 1, 60000), 1);
    int code = 0;
    ASSERT_EQ(::waitpid(pid, &code, 0), pid) << "it was not handed over to this process";
    EXPECT_EQ(WEXITSTATUS(code), 7);
    EXPECT_EQ(status(), "stopped");
    EXPECT_EQ(slurp(root_folder() + "/data/ran"), "ran\n");
    EXPECT_EQ(oci({"delete", "c"}).code, 0);
    test::Finished gone = oci({"state", "c"});
    EXPECT_NE(gone.code, 0);
    EXPECT_NE(gone.out.find("does not exist"), std::string::npos) << gone.out;
}

TEST_F(OciTest, NoProcessOfItsOwnStaysBehind) {
    create();
    const int pid = state()["pid"];
    const std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
    EXPECT_EQ(std::stoi(stat.substr(stat.rfind(')') + 4)), ::getpid()) << stat;
    EXPECT_EQ(slurp("/proc/" + std::to_string(::getpid()) + "/task/" + std::to_string(::getpid()) + "/children"),
              std::to_string(pid) + " ");
}

TEST_F(OciTest, RunEndsAsItsProgramDoes) {
    script("echo out; exit 3");
    test::Finished finished = run();
    EXPECT_EQ(finished.code, 3);
    EXPECT_EQ(finished.out, "out\n");
    EXPECT_TRUE(ids().empty());
}

TEST_F(OciTest, SignalsReachTheFirstProcess) {
    script("trap 'exit 42' TERM; touch /data/ready; while true; do sleep 0.01; done");
    create();
    start();
    for (int i = 0; i < 6000 && !std::filesystem::exists(root_folder() + "/data/ready"); i++) ::usleep(10000);
    EXPECT_EQ(status(), "running");
    const int pid = state()["pid"];
    EXPECT_EQ(oci({"kill", "c"}).code, 0);
    int code = 0;
    ASSERT_EQ(::waitpid(pid, &code, 0), pid);
    EXPECT_EQ(WEXITSTATUS(code), 42);
    test::Finished again = oci({"kill", "c", "KILL"});
    EXPECT_NE(again.code, 0);
    EXPECT_NE(again.out.find("not running"), std::string::npos) << again.out;
}

TEST_F(OciTest, OnlyWhatHasEndedIsDeleted) {
    create();
    EXPECT_NE(oci({"delete", "c"}).code, 0);
    EXPECT_EQ(status(), "created");
    start();
    test::Finished refused = oci({"delete", "c"});
    EXPECT_NE(refused.code, 0);
    EXPECT_NE(refused.out.find("not stopped: running"), std::string::npos) << refused.out;
    EXPECT_EQ(status(), "running");
    EXPECT_EQ(oci({"delete", "--force", "c"}).code, 0);
    EXPECT_EQ(oci({"delete", "--force", "c"}).code, 0) << "twice";
    EXPECT_NE(oci({"delete", "c"}).code, 0);
}

TEST_F(OciTest, OnlyWhatWaitsIsStarted) {
    create();
    start();
    test::Finished again = oci({"start", "c"});
    EXPECT_NE(again.code, 0);
    EXPECT_NE(again.out.find("already running"), std::string::npos) << again.out;
    EXPECT_EQ(status(), "running");
}

TEST_F(OciTest, AnIdIsGivenOnce) {
    create();
    test::Finished second = oci({"create", "--bundle", bundle(), "c"});
    EXPECT_NE(second.code, 0);
    EXPECT_NE(second.out.find("already exists"), std::string::npos) << second.out;
    EXPECT_EQ(status(), "created") << "the first one is untouched";
}

TEST_F(OciTest, WhatCannotBeExecutedIsSaidWhenItIsMade) {
    config_["process"]["args"] = {"nosuch"};
    EXPECT_NE(refusal().find("exec: \"nosuch\": executable file not found in $PATH"), std::string::npos);
    config_["process"]["args"] = {"/etc/passwd"};
    EXPECT_NE(refusal().find("permission denied"), std::string::npos);
}

TEST_F(OciTest, ChangesOfTheBundleComeTooLate) {
    script("echo first > /data/said");
    create();
    script("echo second > /data/said");
    write_config();
    start();
    (void)await_exit();
    EXPECT_EQ(slurp(root_folder() + "/data/said"), "first\n");
}

TEST_F(OciTest, PausedItStands) {
    create();
    start();
    EXPECT_EQ(oci({"pause", "c"}).code, 0);
    EXPECT_EQ(status(), "paused");
    EXPECT_NE(oci({"exec", "c", "true"}).code, 0);
    EXPECT_EQ(oci({"resume", "c"}).code, 0);
    EXPECT_EQ(status(), "running");
    EXPECT_NE(oci({"resume", "c"}).code, 0);
    EXPECT_EQ(oci({"pause", "c"}).code, 0);  // and it can be deleted as it is
}

TEST_F(OciTest, FurtherProcessesJoinIt) {
    config_["hostname"] = "inside";
    config_["process"]["env"].push_back("OF=container");
    create();
    start();
    test::Finished said = oci({"exec", "--env", "MORE=here", "--cwd", "/data", "c", "/bin/sh", "-c",
                               "hostname; echo $OF $MORE; pwd; exit 5"});
    EXPECT_EQ(said.code, 5);
    EXPECT_EQ(said.out, "inside\ncontainer here\n/data\n");
    EXPECT_EQ(oci({"exec", "--user", "1000:1000", "c", "id", "-u"}).out, "1000\n");
    test::Finished none = oci({"exec", "c", "nosuch"});
    EXPECT_NE(none.out.find("executable file not found in $PATH"), std::string::npos) << none.out;
    EXPECT_NE(none.code, 0);
    const std::string file = folder_ + "/process.json";
    std::ofstream(file) << R"({"args": ["cat", "/proc/self/oom_score_adj"], "cwd": "/", "oomScoreAdj": 77})";
    EXPECT_EQ(oci({"exec", "--process", file, "c"}).out, "77\n");
}

TEST_F(OciTest, ADetachedProcessIsHandedOver) {
    create();
    start();
    const std::string file = folder_ + "/pid";
    EXPECT_EQ(oci({"exec", "--detach", "--pid-file", file, "c", "sh", "-c", "exit 9"}).code, 0);
    int code = 0;
    const int pid = std::stoi(slurp(file));
    ASSERT_EQ(::waitpid(pid, &code, 0), pid);
    EXPECT_EQ(WEXITSTATUS(code), 9);
}

TEST_F(OciTest, OneThatIsJustBeingMadeHasNoProcessesToSignal) {
    std::filesystem::create_directories(states() + "/c");  // as its maker leaves it for a moment
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"kill", "--all", "c", "0"}, {"kill", "c", "0"}}) {
        const test::Finished refused = oci(words);
        EXPECT_NE(refused.code, 0);
        EXPECT_NE(refused.out.find("not running"), std::string::npos) << refused.out;
    }
    EXPECT_EQ(oci({"delete", "c"}).code, 0);
}

TEST_F(OciTest, SignalZeroOnlyAsksWhetherItLives) {
    create();
    start();
    EXPECT_EQ(oci({"kill", "c", "0"}).code, 0);
    EXPECT_EQ(oci({"kill", "--all", "c", "0"}).code, 0);
    EXPECT_EQ(status(), "running");
}

TEST_F(OciTest, ItsProcessesAreListed) {
    create();
    start();
    const int pid = state()["pid"];
    EXPECT_EQ(Json::parse(oci({"ps", "--format", "json", "c"}).out), Json({pid}));
    EXPECT_NE(oci({"ps", "c"}).out.find("sleep 1000"), std::string::npos);
    EXPECT_EQ(oci({"list", "--quiet"}).out, "c\n");
    EXPECT_EQ(Json::parse(oci({"list", "--format", "json"}).out)[0]["status"], "running");
    Json stats = Json::parse(oci({"events", "--stats", "c"}).out);
    EXPECT_EQ(stats["data"]["pids"]["current"], 1);
    EXPECT_GT(stats["data"]["memory"]["usage"]["usage"], 0);
}

TEST_F(OciTest, AMakerThatIsKilledLeavesSomethingToDelete) {
    // Its hook waits until the maker has been killed.
    config_["hooks"]["createRuntime"] = {{{"path", "/bin/busybox"}, {"args", {"sleep", "1000"}}}};
    write_config();
    Fd null = open_at(AT_FDCWD, "/dev/null", O_RDWR);
    test::Process maker({program(), "--root", states(), "create", "--bundle", bundle(), "c"},
                        {{}, -1, null.get(), null.get()});
    const std::string hooked = states() + "/c/state.json";
    for (int i = 0; i < 6000; i++) {
        Json saved = Json::parse(slurp(hooked), nullptr, false);
        if (saved.is_object() && saved["init"]["pid"] != 0) break;
        ::usleep(10000);
    }
    EXPECT_EQ(status(), "creating");
    maker.signal(SIGKILL);
    ASSERT_TRUE(maker.wait(std::chrono::seconds(30)));
    // The first process ends by itself, and then there is nothing but a state.
    for (int i = 0; i < 6000 && status() != "stopped"; i++) {
        reap();
        ::usleep(10000);
    }
    EXPECT_EQ(status(), "stopped");
    EXPECT_EQ(oci({"delete", "c"}).code, 0);
    // The hook isn't the container's: it was the maker's child.
    const std::string children =
        slurp("/proc/" + std::to_string(::getpid()) + "/task/" + std::to_string(::getpid()) + "/children");
    std::istringstream pids(children);
    for (int pid; pids >> pid;) ::kill(pid, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
}

}  // namespace
}  // namespace kedge::oci
