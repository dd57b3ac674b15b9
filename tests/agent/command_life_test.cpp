// pause, update, top and stats with a whole agent behind them.
#include "tests/agent/command_fixture.h"

namespace kedge::test {

using CommandLife = CommandLine;

TEST_F(CommandLife, PauseAndUnpauseSayWhatTheyDid) {
    said({"run", "-d", "--name", "one", "--network", "none", "box:1", "sleep", "1000"});
    said({"run", "-d", "--name", "two", "--network", "none", "box:1", "sleep", "1000"});
    EXPECT_EQ(said({"pause", "one", "two"}), "one\ntwo\n");
    EXPECT_EQ(said({"ps", "--filter", "status=paused", "--format", "{{.Names}} {{.State}}"}),
              "two paused\none paused\n");
    Result result = kedge({"exec", "one", "true"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.err, "kedge: Container one is paused, unpause the container before exec\n");
    result = kedge({"pause", "one", "nosuch"});
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.err.find("is already paused"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("No such container: nosuch"), std::string::npos) << result.err;
    EXPECT_EQ(said({"container", "unpause", "one"}), "one\n");
    EXPECT_EQ(said({"exec", "one", "echo", "runs"}), "runs\n");
    EXPECT_EQ(said({"rm", "-f", "two"}), "two\n");
}

TEST_F(CommandLife, UpdateTakesDockersFlags) {
    said({"run", "-d", "--name", "web", "--network", "none", "box:1", "sleep", "1000"});
    EXPECT_EQ(said({"update", "-m", "64m", "--memory-swap=128m", "--cpus", "0.5", "--pids-limit", "20", "--restart",
                    "on-failure:3", "web"}),
              "web\n");
    EXPECT_EQ(said({"inspect", "-f",
                    "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} "
                    "{{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}",
                    "web"}),
              "67108864 134217728 500000000 20 on-failure\n");
    Result result = kedge({"update", "web"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.err, "kedge: you must provide one or more flags when using this command\n");
    result = kedge({"update", "-m", "1g", "web"});
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.err.find("Memory limit should be smaller than already set memoryswap limit"), std::string::npos)
        << result.err;
    result = kedge({"update", "--pids-limit", "30", "nosuch", "web"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out, "web\n") << "the others go on";
    EXPECT_EQ(kedge({"update", "--kernel-memory", "1g", "web"}).err, "kedge: --kernel-memory is not supported yet\n");
}

TEST_F(CommandLife, TopTakesOptionsOfPs) {
    said({"run", "-d", "--name", "web", "--network", "none", "box:1", "sleep", "1000"});
    std::vector<std::string> table = lines(said({"top", "web"}));
    ASSERT_EQ(table.size(), 2u);
    EXPECT_EQ(table[0].substr(0, 46), "UID                 PID                 PPID  ");
    EXPECT_TRUE(table[1].ends_with("sleep 1000")) << table[1];
    EXPECT_EQ(lines(said({"top", "web", "-o", "comm,args"})).at(1), "sleep               sleep 1000");
    EXPECT_NE(said({"top", "web", "aux"}).find("COMMAND"), std::string::npos);
    Result result = kedge({"top", "web", "-z"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(lines(result.err).at(0), "kedge: ps: the option \"-z\" is not supported by kedge");
    EXPECT_EQ(kedge({"top"}).code, 1);
    EXPECT_EQ(lines(kedge({"top", "nosuch"}).err).at(0), "kedge: No such container: nosuch");
}

TEST_F(CommandLife, StatsShowThoseThatRunOrAreNamed) {
    said({"run", "-d", "--name", "web", "--network", "none", "-m", "64m", "box:1", "sleep", "1000"});
    said({"create", "--name", "job", "--network", "none", "box:1", "true"});
    std::vector<std::string> table = lines(said({"stats", "--no-stream"}));
    ASSERT_EQ(table.size(), 2u);
    for (const char* heading :
         {"CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"})
        EXPECT_NE(table[0].find(heading), std::string::npos) << heading;
    EXPECT_NE(table[1].find(" / 64MiB "), std::string::npos) << table[1];
    EXPECT_EQ(said({"stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "job", "web"}), "job 0\nweb 1\n");
    EXPECT_EQ(lines(said({"stats", "--no-stream", "-a", "--format", "json"})).size(), 2u);
    Result result = kedge({"stats", "--no-stream", "web", "nosuch"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "kedge: No such container: nosuch\n");
}

TEST_F(CommandLife, StatsGoOnUntilTheContainersAreGone) {
    said({"run", "-d", "--name", "web", "--network", "none", "box:1", "sleep", "1000"});
    Running running = begin({"stats", "--format", "{{.Container}} {{.PIDs}}", "web"});
    ASSERT_TRUE(until([&] { return lines(running.said()).size() >= 2; })) << running.said();
    said({"rm", "-f", "web"});
    Result result = running.end();
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out.find("web 1\nweb 1\n"), 0u) << result.out;
}

TEST_F(CommandLife, StatsOfAllFindThoseThatComeLater) {
    Running running = begin({"stats", "--format", "{{.Name}}"});
    said({"run", "-d", "--name", "late", "--network", "none", "box:1", "sleep", "1000"});
    EXPECT_TRUE(until([&] { return running.said().find("late\n") != std::string::npos; })) << running.said();
    running.process->signal(SIGTERM);
    (void)running.end();
}

}  // namespace kedge::test
