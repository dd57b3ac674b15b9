// The command `kedge` with a whole agent behind it.
#include "tests/agent/command_fixture.h"

namespace kedge::test {

TEST_F(CommandLine, RunShowsBothStreamsAndEndsWithTheContainersExitCode) {
    Result result = kedge({"run", "--name", "job", "box:1", "sh", "-c", "echo out; echo err >&2; exit 7"});
    EXPECT_EQ(result.code, 7);
    EXPECT_EQ(result.out, "out\n");
    EXPECT_EQ(result.err, "err\n");
    EXPECT_EQ(said({"ps", "-a", "--format", "{{.Names}} {{.State}}"}), "job exited\n");
    result = kedge({"start", "-a", "job"});
    EXPECT_EQ(result.code, 7);
    EXPECT_EQ(result.out, "out\n") << "only what this run says";
    result = kedge({"run", "-a", "stderr", "box:1", "sh", "-c", "echo out; echo err >&2"});
    EXPECT_EQ(result.out + result.err, "err\n");
}

TEST_F(CommandLine, RunWithRmLosesNothingAndLeavesNothing) {
    for (int i = 0; i < 10; ++i) {
        Result result = kedge({"run", "--rm", "--network", "none", "box:1", "sh", "-c", "echo all of it; exit 3"});
        EXPECT_EQ(result.code, 3) << result.err;
        EXPECT_EQ(result.out, "all of it\n");
        EXPECT_TRUE(containers().empty());
    }
}

TEST_F(CommandLine, RunTellsWhatCannotBeRunByItsExitCode) {
    Result result = kedge({"run", "--rm", "box:1", "nosuch"});
    EXPECT_EQ(result.code, 127);
    EXPECT_NE(result.err.find("exec: \"nosuch\": executable file not found in $PATH"), std::string::npos) << result.err;
    EXPECT_EQ(kedge({"run", "--rm", "box:1", "/bin/nosuch"}).code, 127);
    EXPECT_EQ(kedge({"run", "--rm", "box:1", "/data/seed"}).code, 126);
    EXPECT_EQ(kedge({"run", "-d", "--rm", "box:1", "nosuch"}).code, 127);
    EXPECT_EQ(kedge({"run", "--bogus", "box:1"}).code, 125);
    EXPECT_EQ(kedge({"run", "--network", "nosuch", "box:1"}).code, 125);
    EXPECT_EQ(kedge({"run", "--name", "!", "box:1"}).code, 125);
    EXPECT_EQ(kedge({"create", "--name", "!", "box:1"}).code, 1);
    EXPECT_TRUE(containers().empty());
}

TEST_F(CommandLine, RunLooksForAnImageThatIsNotHere) {
    Result result = kedge({"run", "127.0.0.1:1/nosuch", "true"});
    EXPECT_EQ(result.code, 125);
    EXPECT_EQ(lines(result.err).at(0), "Unable to find image '127.0.0.1:1/nosuch:latest' locally");
    EXPECT_EQ(result.out, "");
    result = kedge({"run", "--pull", "never", "127.0.0.1:1/nosuch", "true"});
    EXPECT_EQ(result.code, 125);
    EXPECT_EQ(result.err.find("Unable"), std::string::npos);
    EXPECT_NE(result.err.find("No such image"), std::string::npos) << result.err;
}

TEST_F(CommandLine, RunPassesSignalsOn) {
    Running running = begin({"run", "--rm", "--stop-signal", "TERM", "box:1", "sh", "-c",
                             "trap 'echo caught; exit 9' TERM; echo ready; while true; do sleep 0.05; done"});
    ASSERT_TRUE(until([&] { return running.said() == "ready\n"; })) << running.said();
    running.process->signal(SIGTERM);
    Result result = running.end();
    EXPECT_EQ(result.code, 9) << result.err;
    EXPECT_EQ(result.out, "ready\ncaught\n");
}

TEST_F(CommandLine, RunGivesUpOnAContainerThatMindsNoSignal) {
    Running running =
        begin({"run", "--name", "deaf", "box:1", "sh", "-c", "trap '' INT; echo ready; while true; do sleep 1; done"});
    ASSERT_TRUE(until([&] { return running.said() == "ready\n"; }));
    for (int i = 0; i < 3; ++i) {
        size_t before = lines(said({"events", "--since", "1h", "--until", "0s", "--filter", "event=kill"})).size();
        running.process->signal(SIGINT);
        if (i == 2) break;
        ASSERT_TRUE(until([&] {
            return lines(said({"events", "--since", "1h", "--until", "0s", "--filter", "event=kill"})).size() > before;
        }));
    }
    Result result = running.end();
    EXPECT_EQ(result.code, 125);
    EXPECT_NE(result.err.find("goes on without this command"), std::string::npos) << result.err;
    EXPECT_EQ(said({"ps", "--format", "{{.Names}}"}), "deaf\n");
}

TEST_F(CommandLine, RunGivesTheContainerWhatItsFlagsSay) {
    write_file_durably(AT_FDCWD, folder + "/vars", "FROM_FILE=1\n");
    std::string script =
        "echo $A $FROM_FILE $HOSTNAME; pwd; cat /data/seed; cat /mnt/vars; touch /x 2>/dev/null || echo read-only";
    EXPECT_EQ(said({"run", "--rm",        "-e",          "A=b",          "--env-file", folder + "/vars",
                    "-h",  "box",         "-w",          "/tmp",         "-v",         folder + ":/mnt:ro",
                    "-v",  "named:/data", "--read-only", "--memory",     "64m",        "--cpus",
                    "0.5", "--ulimit",    "nofile=100",  "--entrypoint", "sh",         "box:1",
                    "-c",  script}),
              "b 1 box\n/tmp\nfrom the image\nFROM_FILE=1\nread-only\n");
    EXPECT_EQ(said({"run", "--rm", "--entrypoint=", "box:1", "echo", "no entrypoint"}), "no entrypoint\n");
    std::string id_file = folder + "/id";
    std::string id = said({"run", "-d", "--cidfile", id_file, "--name", "bg", "-p", "127.0.0.1::80", "--restart",
                           "unless-stopped", "box:1", "sleep", "1000"});
    EXPECT_EQ(read_file_at(AT_FDCWD, id_file) + "\n", id);
    EXPECT_EQ(said({"inspect", "-f", "{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}", "bg"}),
              "unless-stopped true\n");
    EXPECT_EQ(said({"port", "bg", "80"}).find("127.0.0.1:"), 0u);
    EXPECT_NE(kedge({"run", "-d", "--cidfile", id_file, "box:1"}).code, 0) << "the file is there already";
    EXPECT_EQ(said({"ps", "-aq"}), id.substr(0, 12) + "\n");
    said({"rm", "-f", "-v", "bg"});
    said({"volume", "rm", "named"});
}

TEST_F(CommandLine, ExecHasStreamsInputAndAnExitCodeOfItsOwn) {
    said({"run", "-d", "--name", "box", "box:1", "sleep", "1000"});
    Result result = kedge({"exec", "-e", "A=b", "-w", "/tmp", "box", "sh", "-c", "echo $A $PWD; echo err >&2; exit 5"});
    EXPECT_EQ(result.code, 5);
    EXPECT_EQ(result.out, "b /tmp\n");
    EXPECT_EQ(result.err, "err\n");
    std::string input(300'000, 'x');
    EXPECT_EQ(said({"exec", "-i", "box", "cat"}, input), input);
    EXPECT_EQ(said({"exec", "box", "cat"}, "not passed on"), "");
    EXPECT_EQ(kedge({"exec", "-i", "box", "true"}, input).code, 0) << "a command that does not read";
    EXPECT_EQ(kedge({"exec", "box", "nosuch"}).code, 127);
    EXPECT_EQ(kedge({"exec", "nobody", "true"}).code, 1);
    EXPECT_EQ(kedge({"exec", "box"}).code, 1);
    said({"exec", "-d", "box", "sh", "-c", "echo done > /tmp/done"});
    EXPECT_TRUE(until([&] { return kedge({"exec", "box", "cat", "/tmp/done"}).out == "done\n"; }));
}

TEST_F(CommandLine, LogsKeepTheStreamsApart) {
    said({"run", "-d", "--name", "talk", "box:1", "sh", "-c", "echo one; echo two >&2; echo three; printf end"});
    said({"wait", "talk"});
    Result result = kedge({"logs", "talk"});
    EXPECT_EQ(result.out, "one\nthree\nend");
    EXPECT_EQ(result.err, "two\n");
    said({"run", "-d", "--name", "ordered", "box:1", "sh", "-c", "echo one; echo two; printf end"});
    said({"wait", "ordered"});
    EXPECT_EQ(said({"logs", "--tail", "1", "ordered"}), "end");
    EXPECT_EQ(said({"logs", "-n2", "-f", "ordered"}), "two\nend");
    EXPECT_EQ(said({"logs", "--since", "0s", "talk"}), "");
    EXPECT_EQ(lines(said({"logs", "-t", "--since", "1h", "talk"})).at(0).substr(30), " one");
    EXPECT_EQ(kedge({"logs", "--since", "soon", "talk"}).code, 1);
    EXPECT_EQ(kedge({"logs", "nobody"}).code, 1);
    said({"run", "-dit", "--name", "screen", "box:1", "sh", "-c", "test -t 1 && echo terminal"});
    said({"wait", "screen"});
    EXPECT_EQ(said({"logs", "screen"}), "terminal\r\n");
}

TEST_F(CommandLine, EventsCanBeFilteredAndFormatted) {
    said({"run", "--rm", "--name", "short", "box:1", "true"});
    std::vector<std::string> parameters = {"events",   "--since",        "1h",       "--until",        "0s",
                                           "--filter", "type=container", "--filter", "container=short"};
    std::vector<std::string> actions;
    auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), parameters.begin(), parameters.end());
        return lines(said(more));
    };
    EXPECT_EQ(with({"--format", "{{.Action}} {{.Actor.Attributes.name}}"}),
              (std::vector<std::string>{"create short", "attach short", "start short", "die short", "destroy short"}));
    for (const std::string& line : with({"--format", "json"})) EXPECT_EQ(json::parse(line)["Type"], "container");
    std::string line = with({"--filter", "event=die"}).at(0);
    EXPECT_NE(line.find(" container die "), std::string::npos) << line;
    EXPECT_NE(line.find("exitCode=0"), std::string::npos) << line;
}

TEST_F(CommandLine, ImagesAreImportedListedTaggedAndRemoved) {
    std::string id = said(
        {"import", "--change", "CMD [\"/bin/true\"]", "-c", "ENV A=b", "-m", "made here", archive(), "shop/web:1"});
    ASSERT_EQ(id.substr(0, 7), "sha256:");
    EXPECT_EQ(said({"import", "-", "shop/other"}, rootfs()).substr(0, 7), "sha256:");
    said({"tag", "shop/web:1", "shop/web:stable"});
    EXPECT_EQ(said({"images", "--format", "{{.Repository}}:{{.Tag}}", "shop/web"}), "shop/web:1\nshop/web:stable\n");
    EXPECT_EQ(said({"images", "-q", "--no-trunc", "shop/web:1"}), id);
    EXPECT_EQ(lines(said({"image", "ls", "-q"})).size(), 4u);
    EXPECT_NE(said({"images"}).find("REPOSITORY   TAG"), std::string::npos);
    EXPECT_EQ(said({"image", "inspect", "-f", "{{json .Config.Cmd}} {{index .Config.Env 0}}", "shop/web:1"})
                  .find("[\"/bin/true\"]"),
              0u);
    EXPECT_NE(said({"image", "history", "shop/web:1"}).find("made here"), std::string::npos);
    EXPECT_EQ(said({"rmi", "shop/web:1"}), "Untagged: shop/web:1\n");
    EXPECT_EQ(said({"image", "rm", "shop/web:stable"}), "Untagged: shop/web:stable\nDeleted: " + id);
    EXPECT_EQ(kedge({"rmi", "shop/web:1"}).code, 1);
    EXPECT_EQ(kedge({"rmi", "-f", "shop/web:1"}).code, 0);
    EXPECT_EQ(kedge({"import", "https://example.org/rootfs.tar"})
                  .err.find("kedge: importing from a URL is not supported yet"),
              0u);
    EXPECT_EQ(kedge({"import", folder + "/nosuch.tar"}).code, 1);
    EXPECT_EQ(kedge({"import", "-", "shop/bad"}, "no archive at all").code, 1);
    EXPECT_EQ(kedge({"load"}, "no archive at all").code, 1);
    EXPECT_NE(kedge({"pull", "127.0.0.1:1/nosuch"}).code, 0);
}

TEST_F(CommandLine, VolumesAndNetworksAreMadeListedAndRemoved) {
    EXPECT_EQ(said({"volume", "create", "--label", "a=b", "data"}), "data\n");
    EXPECT_EQ(said({"volume", "ls", "--format", "{{.Name}} {{.Labels}}"}), "data a=b\n");
    EXPECT_EQ(said({"volume", "ls", "-q", "--filter", "dangling=true"}), "data\n");
    EXPECT_EQ(said({"volume", "inspect", "-f", "{{.Mountpoint}}", "data"}), folder + "/root/volumes/data/_data\n");
    EXPECT_EQ(said({"volume", "rm", "data"}), "data\n");
    EXPECT_EQ(kedge({"volume", "rm", "data"}).code, 1);
    EXPECT_EQ(kedge({"volume", "rm", "-f", "data"}).code, 0);

    std::string id = said({"network", "create", "--subnet", "10.99.7.0/24", "--gateway", "10.99.7.9", "--internal",
                           "--label", "a=b", "back"});
    EXPECT_EQ(said({"network", "ls", "-q", "--filter", "type=custom"}), id.substr(0, 12) + "\n");
    EXPECT_EQ(said({"network", "ls", "--format", "{{.Name}} {{.Driver}}"}),
              "back bridge\nbridge bridge\nhost host\nnone null\n");
    EXPECT_EQ(said({"network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}} {{.Internal}}", "back"}),
              "10.99.7.9 true\n");
    std::string hosts = said({"run", "--rm", "--network", "back", "--ip", "10.99.7.77", "box:1", "cat", "/etc/hosts"});
    EXPECT_NE(hosts.find("10.99.7.77\t"), std::string::npos) << hosts;
    said({"run", "-d", "--name", "web", "--stop-timeout", "0", "box:1", "sleep", "1000"});
    EXPECT_EQ(said({"network", "connect", "--alias", "www", "--ip", "10.99.7.8", "back", "web"}), "");
    EXPECT_EQ(said({"inspect", "-f", "{{.NetworkSettings.Networks.back.IPAddress}}", "web"}), "10.99.7.8\n");
    EXPECT_EQ(kedge({"network", "connect", "back", "web"}).err,
              "kedge: endpoint with name web already exists in network back\n");
    EXPECT_EQ(said({"network", "disconnect", "back", "web"}), "");
    EXPECT_EQ(
        kedge({"network", "connect", "--link", "a", "back", "web"}).err,
        "kedge: --link is not supported yet\nhint: containers of a user-defined network find each other by name\n");
    said({"rm", "-f", "web"});
    EXPECT_EQ(said({"network", "rm", id.substr(0, 12)}), id.substr(0, 12) + "\n");
    EXPECT_EQ(kedge({"network", "create", "--ip-range", "10.0.0.0/24", "x"}).err,
              "kedge: every ip-range or gateway must have a corresponding subnet\n");
}

TEST_F(CommandLine, NetworksHaveIpv6IfTheyAreAskedTo) {
    said({"network", "create", "--ipv6", "--subnet", "fd00:5::/64", "--gateway", "fd00:5::99", "--ip-range",
          "fd00:5::100/120", "--aux-address", "a=fd00:5::101", "--subnet", "10.99.7.0/24", "--gateway", "10.99.7.9",
          "--aux-address", "b=10.99.7.2", "wide"});
    EXPECT_EQ(
        said({"network", "inspect", "-f",
              "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{.AuxiliaryAddresses}} {{end}}{{.EnableIPv6}}", "wide"}),
        "10.99.7.0/24 10.99.7.9 map[b:10.99.7.2] fd00:5::/64 fd00:5::99 map[a:fd00:5::101] true\n");
    EXPECT_EQ(said({"network", "ls", "-f", "name=wide", "--format", "{{.Name}} {{.IPv4}} {{.IPv6}}"}),
              "wide true true\n");
    said({"run", "-d", "--name", "web", "--network", "name=wide,ip6=fd00:5::7", "-p", "[::1]:28080:80", "-p",
          "28081:80", "box:1", "sleep", "100"});
    EXPECT_EQ(
        said({"inspect", "-f",
              "{{with .NetworkSettings.Networks.wide}}{{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}} "
              "{{.IPAMConfig.IPv6Address}}{{end}}",
              "web"}),
        "fd00:5::7/64 fd00:5::99 fd00:5::7\n");
    EXPECT_EQ(said({"port", "web"}), "80/tcp -> [::1]:28080\n80/tcp -> 0.0.0.0:28081\n80/tcp -> [::]:28081\n");
    EXPECT_EQ(said({"ps", "--format", "{{.Ports}}"}),
              "0.0.0.0:28081->80/tcp, [::]:28081->80/tcp, [::1]:28080->80/tcp\n");
    EXPECT_NE(said({"exec", "web", "cat", "/etc/hosts"}).find("fd00:5::7\t"), std::string::npos);
    said({"rm", "-f", "web"});
    said({"run", "-d", "--name", "web", "--network", "wide", "--ip6", "fd00:5::8", "box:1", "sleep", "100"});
    EXPECT_EQ(said({"network", "inspect", "-f", "{{range .Containers}}{{.IPv6Address}}{{end}}", "wide"}),
              "fd00:5::8/64\n");
    said({"network", "disconnect", "wide", "web"});
    said({"network", "connect", "--ip6", "fd00:5::9", "wide", "web"});
    EXPECT_NE(said({"exec", "web", "cat", "/etc/hosts"}).find("fd00:5::9\t"), std::string::npos);
    said({"rm", "-f", "web"});
    for (const char* wrong : {"fd00:6::1", "10.99.8.1"})
        EXPECT_NE(kedge({"network", "create", "--ipv6", "--subnet", "fd00:7::/64", "--gateway", wrong, "x"})
                      .err.find("no matching subnet for gateway"),
                  std::string::npos)
            << wrong;
    EXPECT_EQ(kedge({"network", "create", "--subnet", "fd00:7::/64", "x"}).err,
              "kedge: the network has no IPv6, which fd00:7::/64 is of\nhint: --ipv6 gives it some\n");
    EXPECT_EQ(kedge({"network", "create", "--ipv4=false", "x"}).err, "kedge: IPv4 or IPv6 must be enabled\n");
}

TEST_F(CommandLine, WhatIsSavedIsWholeOrNotThere) {
    const std::string archive = folder + "/box.tar", id = said({"images", "-q", "--no-trunc"});
    EXPECT_EQ(said({"save", "-o", archive, "box:1"}), "");
    EXPECT_EQ(kedge({"save", "-o", folder + "/none.tar", "nosuch"}).err, "kedge: No such image: nosuch:latest\n");
    for (const std::string& name : names_in(open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY).get()))
        EXPECT_EQ(name.find(".tar.tmp"), std::string::npos) << name;
    EXPECT_NE(::access((folder + "/none.tar").c_str(), F_OK), 0);
    EXPECT_EQ(kedge({"save", "-o", folder, "box:1"}).code, 1) << "a folder";
    EXPECT_EQ(said({"save", "box:1"}), read_file_at(AT_FDCWD, archive)) << "the same archive each time";
    said({"rmi", "box:1"});
    EXPECT_EQ(said({"load", "-i", archive}), "Loaded image: box:1\n");
    EXPECT_EQ(said({"images", "-q", "--no-trunc"}), id);
}

TEST_F(CommandLine, WhatTakesSpaceIsShown) {
    said({"run", "--name", "writer", "-v", "data:/data", "box:1", "sh", "-c",
          "echo hello > /a; echo 1234567 > /data/b"});
    EXPECT_EQ(said({"ps", "-a", "--format", "{{.Size}}"}).substr(0, 13), "6B (virtual 1");
    EXPECT_EQ(said({"inspect", "-s", "-f", "{{.SizeRw}}", "writer"}), "6\n");
    EXPECT_EQ(said({"system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Reclaimable}}"}),
              "Images 1 1 0B (0%)\nContainers 1 0 6B (100%)\nLocal Volumes 1 1 0B (0%)\nBuild Cache 0 0 0B\n");
    const std::string details = said({"system", "df", "-v"});
    for (const char* part : {"Images space usage:\n", "UNIQUE SIZE", "data          1       23B\n", "writer"})
        EXPECT_NE(details.find(part), std::string::npos) << part << " is not in\n" << details;
    EXPECT_EQ(said({"container", "prune", "-f"}).substr(20 + 66), "Total reclaimed space: 6B\n");
    said({"volume", "rm", "data"});
}

TEST_F(CommandLine, PruneAsksAndThenCleansUp) {
    said({"create", "--name", "old", "box:1"});
    said({"create", "--name", "kept", "--label", "keep=yes", "box:1"});
    EXPECT_NE(said({"container", "prune"}, "n\n").find("Are you sure you want to continue? [y/N]"), std::string::npos);
    EXPECT_EQ(containers().size(), 2u);
    EXPECT_EQ(said({"container", "prune", "-f", "--filter", "label=keep=no"}), "Total reclaimed space: 0B\n");
    EXPECT_NE(said({"container", "prune"}, "y\n").find("Deleted Containers:\n"), std::string::npos);
    EXPECT_EQ(containers().size(), 0u);
    said({"volume", "create", "named"});
    EXPECT_EQ(said({"volume", "prune", "-f"}), "Total reclaimed space: 0B\n");
    EXPECT_EQ(said({"volume", "prune", "-af"}), "Deleted Volumes:\nnamed\n\nTotal reclaimed space: 0B\n");
    said({"network", "create", "unused"});
    EXPECT_EQ(said({"network", "prune", "-f"}), "Deleted Networks:\nunused\n\n");
    EXPECT_NE(said({"image", "prune", "-af"}).find("untagged: box:1\n"), std::string::npos);
    EXPECT_NE(said({"system", "prune", "-f"}).find("Total reclaimed space: "), std::string::npos);
}

TEST_F(CommandLine, InspectFindsAnythingAndSaysWhatIsMissing) {
    said({"create", "--name", "same", "-v", "data:/data", "box:1"});
    said({"volume", "create", "same"});
    EXPECT_EQ(said({"inspect", "-f", "{{.Name}}", "same"}), "/same\n");
    EXPECT_EQ(said({"inspect", "--type", "volume", "-f", "{{.Name}}", "same"}), "same\n");
    EXPECT_EQ(json::parse(said({"inspect", "box:1"}))[0]["RepoTags"], json({"box:1"}));
    Result result = kedge({"inspect", "nobody"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out, "[]\n");
    EXPECT_EQ(result.err, "kedge: No such object: nobody\n");
    EXPECT_EQ(kedge({"inspect", "-v", "same"}).err, "kedge: --verbose is not supported yet\n");
    said({"rm", "same"});
    for (const char* name : {"same", "data"}) said({"volume", "rm", name});
}

TEST_F(CommandLine, TheAgentTellsItsVersionAndFigures) {
    EXPECT_NE(said({"version"}).find("Server:\n Engine:\n"), std::string::npos);
    EXPECT_EQ(said({"version", "--format", "{{.Server.Os}}"}), "linux\n");
    EXPECT_EQ(json::parse(said({"info", "--format", "json"}))["Containers"], 0);
    EXPECT_NE(said({"system", "info"}).find(" Storage Driver: overlay2\n"), std::string::npos);
    EXPECT_NE(said({"metrics"}).find("# TYPE kedge_"), std::string::npos);
    stop();
    Result result = kedge({"version"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out.find("Client:\n"), 0u) << "its own version is told without an agent too";
    EXPECT_EQ(result.err.find("kedge: cannot connect to the agent"), 0u);
}

TEST_F(CommandLine, AReaderThatIsGoneEndsItQuietly) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd write_end(ends[1]), err = memory();
    Fd(ends[0]).reset();
    Process process({KEDGE_BUILD "/bin/kedge", "metrics"},
                    {{{"KEDGE_HOST", "unix://" + folder + "/run/kedge.sock"}}, -1, write_end.get(), err.get()});
    auto status = process.wait(std::chrono::seconds(30));
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGPIPE) << *status;
    EXPECT_EQ(content(err), "");
}

TEST_F(CommandLine, CompletionScriptsAreScriptsThatKnowTheCommands) {
    std::string script = said({"completion", "bash"});
    std::string asks =
        "\nkedge() { " KEDGE_BUILD
        "/bin/kedge \"$@\"; }\n"
        "complete_words() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _kedge; echo \"${COMPREPLY[@]}\"; }\n"
        "complete_words kedge volume pr\ncomplete_words kedge run --publish-\ncomplete_words kedge rmi b\n"
        "complete_words kedge pus\n";
    write_file_durably(AT_FDCWD, folder + "/completion", script + asks);
    Finished finished = run({"bash", folder + "/completion"}, {{"KEDGE_HOST", "unix://" + folder + "/run/kedge.sock"}});
    EXPECT_EQ(finished.out, "prune\n--publish-all\nbox:1\n\n") << "and what is not supported is not offered";
    EXPECT_NE(said({"completion", "zsh"}).find("#compdef kedge"), std::string::npos);
    EXPECT_NE(said({"completion", "fish"}).find("-a volume"), std::string::npos);
}

TEST_F(CommandLine, GroupsLeadToTheSameCommands) {
    std::string id = said({"container", "run", "-d", "--name", "web", "box:1", "sleep", "1000"});
    EXPECT_EQ(said({"container", "list", "-q", "--no-trunc"}), id);
    EXPECT_EQ(said({"ps", "-q", "--no-trunc", "--filter", "name=web"}), id);
    EXPECT_EQ(said({"container", "exec", "web", "echo", "hello"}), "hello\n");
    EXPECT_NE(said({"container", "top", "web"}).find("sleep 1000"), std::string::npos);
    EXPECT_EQ(said({"container", "remove", "-f", "web"}), "web\n");
    EXPECT_EQ(kedge({"push", "box:1", "--all"}).err, "kedge: push is not supported yet\n");
    EXPECT_EQ(kedge({"volume"}).out.find("Manage volumes\n"), 0u);
}

}  // namespace kedge::test
