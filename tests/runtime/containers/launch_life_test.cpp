#include "tests/runtime/containers/launch_fixture.h"

#include <signal.h>
#include <sys/syscall.h>

#include <regex>
#include <thread>

namespace kedge::runtime {

TEST_F(LaunchTest, TheLogIsLineByLineAsDockerWritesIt) {
    run(shell("l", "printf 'a \"q\" \\\\ \\t<&>\\001\\n'; printf '\\377\\342\\202\\254\\n'; printf 'no end'"));
    std::string text = log("l");
    const std::string tail = R"re(","stream":"stdout","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"\})re"
                             "\n";
    const std::string first = R"re(\{"log":"a \\"q\\" \\\\ \\t\\u003c\\u0026\\u003e\\u0001\\n)re",
                      second = R"re(\{"log":"\\ufffd€\\n)re", third = R"re(\{"log":"no end)re";
    EXPECT_TRUE(std::regex_match(text, std::regex(first + tail + second + tail + third + tail))) << text;
}

TEST_F(LaunchTest, LongLinesAreLoggedInPartsOf16KiB) {
    run(shell("p", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo next"));
    std::istringstream lines(log("p"));
    std::vector<size_t> sizes;
    for (std::string line; std::getline(lines, line);) sizes.push_back(line.find("\",\"stream\"") - 8);
    EXPECT_EQ(sizes, (std::vector<size_t>{16384, 16384, 40000 - 2 * 16384 + 2, 6}));
}

TEST_F(LaunchTest, ALotOfOutputArrivesWholeAndInOrder) {
    run(shell("v", "seq 1 50000"));
    std::istringstream lines(output("v"));
    int expected = 1;
    for (std::string line; std::getline(lines, line); expected++) ASSERT_EQ(line, std::to_string(expected));
    EXPECT_EQ(expected, 50001);
}

TEST_F(LaunchTest, TheLogIsRotatedBySize) {
    LaunchRequest r = shell("r", "seq 1 1000");
    r.spec.log.options = {{"max-size", "10k"}, {"max-file", "3"}};
    run(r);
    std::string base = r.container_folder + "/r-json.log";
    EXPECT_NE(slurp(base).find("\"1000\\n\""), std::string::npos);
    for (const std::string& name : {base, base + ".1", base + ".2"}) {
        EXPECT_GT(slurp(name).size(), 0u) << name;
        EXPECT_LT(slurp(name).size(), 10240u + 200) << name;
    }
    EXPECT_FALSE(std::filesystem::exists(base + ".3"));
    r = request("r2", {"true"});
    r.spec.log.options = {{"max-size", "huge"}};
    EXPECT_EQ(refusal(r), "invalid value for max-size: \"huge\"");
    r.spec.log = {"syslog", {}};
    EXPECT_EQ(refusal(r), "log driver \"syslog\" is not supported: use json-file or none");
}

TEST_F(LaunchTest, WithoutALogDriverNothingIsWritten) {
    LaunchRequest r = shell("n", "echo lost; seq 1 100000; exit 5");
    r.spec.log.driver = "none";
    EXPECT_EQ(run(r).exit_code, 5);
    EXPECT_FALSE(std::filesystem::exists(r.container_folder + "/n-json.log"));
}

TEST_F(LaunchTest, AProcessThatStaysBehindWithTheStreamsDoesNotKeepTheShim) {
    LaunchRequest r = shell("h", "sleep 1000 & echo started");
    r.spec.pid_mode = "host";
    Launched launched = start(r);
    EXPECT_EQ(await_exit("h", launched).exit_code, 0);
    EXPECT_EQ(output("h"), "started\n");
    launcher_->kill_all("h");
}

TEST_F(LaunchTest, AnIdleShimCostsLittleAndNeverWakesUp) {
    Launched launched = start(shell("i", "echo hello; exec sleep 1000"));
    for (int i = 0; i < 400 && log("i").empty(); i++) (void)wait_readable(launched.shim_pidfd.get(), 10);
    std::string proc = fmt::format("/proc/{}", launched.shim.pid);
    auto field = [&](const std::string& file, const std::string& key) {
        std::string text = slurp(proc + file);
        size_t at = text.find(key);
        return at == std::string::npos ? -1L : std::strtol(text.c_str() + at + key.size(), nullptr, 10);
    };
    long pss = field("/smaps_rollup", "Pss:");
    std::printf("an idle shim: %ld kB PSS, %ld kB of it its own\n", pss, field("/smaps_rollup", "Pss_Anon:"));
    EXPECT_GT(pss, 0);
    EXPECT_LE(pss, 300);
    EXPECT_EQ(field("/status", "Threads:"), 1);
    long before = field("/status", "\nvoluntary_ctxt_switches:");
    EXPECT_FALSE(wait_readable(launched.shim_pidfd.get(), 1500));
    EXPECT_EQ(field("/status", "\nvoluntary_ctxt_switches:"), before);
}

TEST_F(LaunchTest, TheShimIgnoresSignalsThatAreMeantForTheAgent) {
    Launched launched = start(shell("g", "trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.02; done"));
    for (int i = 0; i < 400 && log("g").empty(); i++) (void)wait_readable(launched.shim_pidfd.get(), 10);
    for (int signal : {SIGTERM, SIGHUP, SIGINT, SIGPIPE, SIGUSR1})
        ASSERT_EQ(::syscall(SYS_pidfd_send_signal, launched.shim_pidfd.get(), signal, nullptr, 0), 0);
    EXPECT_FALSE(wait_readable(launched.shim_pidfd.get(), 100));
    ASSERT_EQ(::syscall(SYS_pidfd_send_signal, launched.init_pidfd.get(), SIGUSR1, nullptr, 0), 0);
    EXPECT_EQ(await_exit("g", launched).exit_code, 4);
}

TEST_F(LaunchTest, AContainerOutlivesItsAgentAndIsFoundAgain) {
    LaunchRequest r = shell("a", "echo one; while ! [ -e /data/go ]; do sleep 0.02; done; echo two; exit 6");
    make_folders(AT_FDCWD, root_ + "/data");
    r.mounts = {bind(root_ + "/data", "/data")};
    launcher_.reset();
    pid_t agent = ::fork();
    if (agent == 0) {
        Launcher other(shim_path(), instance_);
        (void)other.launch(r, {}, {}, nullptr);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(agent, &status, 0), agent);
    ASSERT_EQ(status, 0);
    launcher_ = std::make_unique<Launcher>(shim_path(), instance_);
    started_.push_back("a");
    Launched found = launcher_->find(r.run_folder);
    ASSERT_TRUE(found.shim_pidfd);
    ASSERT_TRUE(found.init_pidfd);
    EXPECT_NE(found.shim.pid, found.init.pid);
    std::ofstream(root_ + "/data/go") << "";
    EXPECT_EQ(await_exit("a", found).exit_code, 6);
    EXPECT_EQ(output("a"), "one\ntwo\n");
    EXPECT_FALSE(launcher_->find(r.run_folder).shim_pidfd);
}

TEST_F(LaunchTest, ANumberThatBelongsToSomebodyElseIsNotTakenForTheContainer) {
    std::string folder = root_ + "/run/fake";
    make_folders(AT_FDCWD, folder);
    std::string own = std::to_string(::getpid());
    std::ofstream(folder + "/pid") << "shim " << own << " 12345\ninit " << own << " 12345\n";
    Launched found = launcher_->find(folder);
    EXPECT_FALSE(found.shim_pidfd);
    EXPECT_FALSE(found.init_pidfd);
    for (const char* bad : {"", "garbage", "shim x y\n", "shim 1\n", "init 99999999999999999999 1\nshim 1 1\n"}) {
        std::ofstream(folder + "/pid", std::ios::trunc) << bad;
        EXPECT_FALSE(launcher_->find(folder).shim_pidfd) << bad;
    }
    EXPECT_FALSE(launcher_->find(root_ + "/nowhere").shim_pidfd);
    ExitRecord record;
    EXPECT_FALSE(Launcher::read_exit(root_ + "/nowhere", &record));
    std::ofstream(folder + "/exit") << "nonsense";
    EXPECT_FALSE(Launcher::read_exit(folder, &record));
}

TEST_F(LaunchTest, EightThreadsStartContainersAtOnce) {
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    std::vector<LaunchRequest> requests;
    for (int i = 0; i < 40; i++) {
        requests.push_back(shell(fmt::format("c{}", i), fmt::format("echo {}", i)));
        started_.push_back(requests.back().id);
    }
    for (int t = 0; t < 8; t++) {
        threads.emplace_back([&, t] {
            for (int i = t; i < 40; i += 8) {
                Launched launched = launcher_->launch(requests[static_cast<size_t>(i)], {}, {}, nullptr);
                ExitRecord record;
                bool ended = wait_readable(launched.shim_pidfd.get());
                if (ended && Launcher::read_exit(run_folder(requests[static_cast<size_t>(i)].id), &record) &&
                    record.exit_code == 0)
                    good++;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(good, 40);
    for (int i = 0; i < 40; i++) EXPECT_EQ(output(fmt::format("c{}", i)), fmt::format("{}\n", i));
}

TEST_F(LaunchTest, TheSameContainerStartsAgainAndAgain) {
    for (int i = 0; i < 5; i++) {
        LaunchRequest r = shell("again", fmt::format("echo {} >>/kept; cat /kept | grep -c .", i));
        EXPECT_EQ(run(r).exit_code, 0);
        launcher_->clean_up(r.id, r.run_folder);
    }
    EXPECT_EQ(output("again"), "1\n2\n3\n4\n5\n");
}

}  // namespace kedge::runtime
