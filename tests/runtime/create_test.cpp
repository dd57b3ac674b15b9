#include "tests/runtime/engine_fixture.h"

#include <algorithm>
#include <regex>
#include <set>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Create : test::EngineFixture {
    std::string refused(const ContainerSpec& spec, Code expected = Code::invalid_argument) {
        Code code = Code::internal;
        std::string what = refusal([&] { containers().create(spec); }, &code);
        EXPECT_EQ(code, expected) << what;
        EXPECT_TRUE(containers().list().empty()) << "a container was made: " << what;
        return what;
    }
};

}  // namespace

TEST_F(Create, AContainerWithoutANameGetsAnAdjectiveAndASurname) {
    std::set<std::string> names;
    for (int i = 0; i < 30; ++i) names.insert(containers().inspect(containers().create(shell("true"))).name);
    EXPECT_EQ(names.size(), 30u);
    for (const auto& name : names) EXPECT_TRUE(std::regex_match(name, std::regex("[a-z]+_[a-z]+[0-9]?"))) << name;
}

TEST_F(Create, ANameInUseIsAConflictThatNamesTheOther) {
    std::string id = containers().create(shell("true", "taken"));
    Code code = Code::internal;
    std::string what = refusal([&] { containers().create(shell("true", "taken")); }, &code);
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(what, "Conflict. The container name \"/taken\" is already in use by container \"" + id +
                        "\". You have to remove (or rename) that container to be able to reuse that name.");
    EXPECT_EQ(containers().list().size(), 1u);
    containers().remove("taken");
    EXPECT_NO_THROW(containers().create(shell("true", "taken")));
}

TEST_F(Create, OnlyOneOfManyAtOnceGetsTheName) {
    std::atomic<int> made{0}, conflicts{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            try {
                (void)containers().create(shell("true", "one"));
                ++made;
            } catch (const Error& e) {
                if (e.code() == Code::conflict) ++conflicts;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(made, 1);
    EXPECT_EQ(conflicts, 7);
    EXPECT_EQ(entries(options.root + "/containers").size(), 1u);
}

TEST_F(Create, NamesThatDockerRefusesAreRefused) {
    for (const std::string& name :
         {std::string("a"), std::string("-x"), std::string("a/b"), std::string("a b"), std::string("ä1"),
          std::string("../x"), std::string("a\0b", 3), std::string("x\n"), std::string(256, 'a')}) {
        ContainerSpec spec = shell("true");
        spec.name = name;
        EXPECT_NE(refused(spec).find("Invalid container name"), std::string::npos) << name;
    }
}

TEST_F(Create, AnImageOrANetworkThatIsNotThereIsNotFound) {
    ContainerSpec spec = shell("true", "x1");
    spec.image = "nosuch:1";
    EXPECT_NE(refused(spec, Code::not_found).find("nosuch:1"), std::string::npos);
    spec = shell("true", "x1");
    spec.networks = {on("nosuch")};
    EXPECT_EQ(refused(spec, Code::not_found), "network nosuch not found");
    spec = shell("true", "x1");
    spec.network_mode = "container:nosuch";
    EXPECT_EQ(refused(spec, Code::not_found), "No such container: nosuch");
    spec = shell("true", "x1");
    spec.pid_mode = "container:nosuch";
    EXPECT_EQ(refused(spec, Code::not_found), "No such container: nosuch");
    EXPECT_TRUE(entries(options.root + "/containers").empty());
}

TEST_F(Create, AnErrorInTheSpecIsToldBeforeAnythingIsMade) {
    auto wrong = [&](auto&& edit) {
        ContainerSpec spec = shell("true", "wrong");
        edit(spec);
        return refused(spec);
    };
    EXPECT_EQ(wrong([](auto& s) { s.working_dir = "relative"; }),
              "the working directory 'relative' is invalid, it needs to be an absolute path");
    EXPECT_EQ(wrong([](auto& s) { s.stop_signal = "SIGNOTHING"; }), "invalid signal: SIGNOTHING");
    EXPECT_EQ(wrong([](auto& s) { s.environment = {"=x"}; }), "invalid environment variable: =x");
    EXPECT_EQ(wrong([](auto& s) { s.command->push_back(std::string("a\0b", 3)); }), "argument contains a zero byte");
    EXPECT_EQ(wrong([](auto& s) { s.hostname = "a b"; }), "invalid hostname format: a b");
    EXPECT_EQ(wrong([](auto& s) { s.hostname = std::string(65, 'a'); }),
              "invalid hostname format: " + std::string(65, 'a'));
    EXPECT_EQ(wrong([](auto& s) { s.mounts = {bind("/no/such/place", "/x")}; }),
              "invalid mount config for type \"bind\": bind source path does not exist: /no/such/place");
    EXPECT_EQ(wrong([](auto& s) { s.mounts = {bind("relative", "/x")}; }),
              "invalid mount path: 'relative' mount path must be absolute");
    EXPECT_EQ(wrong([](auto& s) { s.mounts = {bind("/tmp", "x")}; }),
              "invalid mount path: 'x' mount path must be absolute");
    EXPECT_EQ(wrong([](auto& s) { s.mounts = {bind("/tmp", "/x/../")}; }),
              "invalid mount config: invalid specification: destination can't be '/'");
    EXPECT_EQ(wrong([](auto& s) {
                  s.mounts = {volume("data1", "/x"), volume("data2", "/x/")};
              }),
              "Duplicate mount point: /x/");
    EXPECT_NE(wrong([](auto& s) {
                  s.mounts = {volume("a/b", "/x")};
              }).find("includes invalid characters for a local volume name"),
              std::string::npos);
    EXPECT_EQ(wrong([](auto& s) { s.resources.memory = 1 << 20; }), "Minimum memory limit allowed is 6MB");
    EXPECT_EQ(wrong([](auto& s) {
                  s.resources.nano_cpus = 500'000'000;
                  s.resources.cpu_quota = 5000;
              }),
              "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    EXPECT_EQ(wrong([](auto& s) { s.resources.blkio_weight = 5; }), "Range of blkio weight is from 10 to 1000");
    EXPECT_NE(wrong([](auto& s) { s.resources.cpuset_mems = "4000"; }).find("memory nodes are not available"),
              std::string::npos);
    EXPECT_NE(wrong([](auto& s) { s.resources.nano_cpus = 1000000000000; }).find("range of CPUs is from 0.01 to"),
              std::string::npos);
    EXPECT_EQ(wrong([](auto& s) { s.oom_score_adj = 1001; }),
              "Invalid value 1001, range for oom score adj is [-1000, 1000]");
    EXPECT_EQ(wrong([](auto& s) {
                  s.restart = {RestartPolicy::Name::always, 3};
              }),
              "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    EXPECT_EQ(wrong([](auto& s) {
                  s.restart = {RestartPolicy::Name::on_failure, -1};
              }),
              "invalid restart policy: maximum retry count cannot be negative");
    EXPECT_EQ(wrong([](auto& s) { s.network_mode = "wireless"; }), "invalid network mode: wireless");
    EXPECT_EQ(wrong([](auto& s) { s.log.driver = "syslog"; }),
              "error looking up logging plugin syslog: plugin \"syslog\" not found");
    EXPECT_EQ(wrong([](auto& s) { s.log.options = {{"max-file", "0"}}; }), "max-file cannot be less than 1");
    EXPECT_EQ(wrong([](auto& s) { s.log.options = {{"max-size", "big"}}; }), "invalid value for max-size: \"big\"");
    EXPECT_EQ(wrong([](auto& s) { s.extra_hosts = {"here"}; }), "bad format for add-host: \"here\"");
    EXPECT_EQ(wrong([](auto& s) { s.dns = {"example.org"}; }), "example.org is not an ip address");
    EXPECT_EQ(wrong([](auto& s) {
                  s.healthcheck = Healthcheck{.test = {"SHELL", "x"}};
              }),
              "Unknown healthcheck type 'SHELL' (expected 'CMD')");
    EXPECT_EQ(wrong([](auto& s) {
                  s.healthcheck = Healthcheck{.test = {"CMD", "x"}, .interval = Nanoseconds(5)};
              }),
              "Interval in Healthcheck cannot be less than 1ms");
    EXPECT_TRUE(engine->volumes().list().empty()) << "a volume was made for a container that is not";
}

TEST_F(Create, WhatOnlyAStartWouldFindIsToldByCreateToo) {
    auto wrong = [&](auto&& edit) {
        ContainerSpec spec = shell("true", "wrong");
        edit(spec);
        return refused(spec);
    };
    EXPECT_EQ(wrong([](auto& s) { s.cap_add = {"FLYING"}; }), "invalid CapAdd: unknown capability: \"CAP_FLYING\"");
    EXPECT_EQ(wrong([](auto& s) { s.ulimits = {{"wishes", 1, 1}}; }), "invalid ulimit type: wishes");
    EXPECT_EQ(wrong([](auto& s) { s.security_opt = {"nonsense=1"}; }), "invalid --security-opt 2: \"nonsense=1\"");
    EXPECT_EQ(wrong([](auto& s) {
                  s.sysctls = {{"kernel.panic", "1"}};
              }),
              "sysctl 'kernel.panic=1' is not allowed: it does not belong to a namespace");
    EXPECT_TRUE(wrong([](auto& s) { s.security_opt = {"seccomp={"}; }).starts_with("seccomp profile: "));
}

TEST_F(Create, TheImagesConfigFillsWhatWasNotAskedFor) {
    import("full", test::busybox_tar(),
           {"ENTRYPOINT [\"sh\", \"-c\"]", "CMD [\"exit 3\"]", "ENV A=image", "ENV B=image", "USER user",
            "WORKDIR /work/here", "STOPSIGNAL SIGUSR1", "LABEL one=image", "LABEL two=image", "EXPOSE 80/tcp",
            "VOLUME /data", "HEALTHCHECK --interval=7s --retries=2 CMD true"});
    ContainerSpec spec;
    spec.image = "full";
    spec.environment = {"B=own", "C=own"};
    spec.labels = {{"two", "own"}};
    ContainerInfo info = containers().inspect(containers().create(spec));
    EXPECT_EQ(info.arguments, (std::vector<std::string>{"sh", "-c", "exit 3"}));
    std::sort(info.environment.begin(), info.environment.end());
    EXPECT_EQ(info.environment, (std::vector<std::string>{"A=image", "B=own", "C=own"}));
    EXPECT_EQ(info.user, "user");
    EXPECT_EQ(info.working_dir, "/work/here");
    EXPECT_EQ(info.stop_signal, "SIGUSR1");
    EXPECT_EQ(info.labels, (std::map<std::string, std::string>{{"one", "image"}, {"two", "own"}}));
    ASSERT_TRUE(info.healthcheck);
    EXPECT_EQ(info.healthcheck->test, (std::vector<std::string>{"CMD-SHELL", "true"}));
    EXPECT_EQ(info.healthcheck->interval, std::chrono::seconds(7));
    EXPECT_EQ(info.healthcheck->retries, 2);
    ASSERT_EQ(info.mounts.size(), 1u);
    EXPECT_EQ(info.mounts[0].target, "/data");
    EXPECT_EQ(info.mounts[0].source.size(), 64u) << "an anonymous volume";
    EXPECT_EQ(info.spec.command, std::nullopt) << "the spec stays as it was asked for";
}

TEST_F(Create, WhatWasAskedForWinsOverTheImage) {
    import("full", test::busybox_tar(),
           {"ENTRYPOINT [\"sh\", \"-c\"]", "CMD [\"exit 3\"]", "USER user", "WORKDIR /work", "STOPSIGNAL SIGUSR1",
            "VOLUME /data", "HEALTHCHECK --interval=7s --retries=2 CMD true"});
    ContainerSpec spec;
    spec.image = "full";
    spec.command = std::vector<std::string>{"exit 4"};
    EXPECT_EQ(containers().inspect(containers().create(spec)).arguments,
              (std::vector<std::string>{"sh", "-c", "exit 4"}));
    spec.command.reset();
    spec.entrypoint = std::vector<std::string>{"cat"};
    EXPECT_EQ(containers().inspect(containers().create(spec)).arguments, std::vector<std::string>{"cat"})
        << "an entrypoint drops the image's command";
    spec.entrypoint = std::vector<std::string>{""};
    spec.command = std::vector<std::string>{"ls"};
    EXPECT_EQ(containers().inspect(containers().create(spec)).arguments, std::vector<std::string>{"ls"})
        << "an empty one takes the image's away";
    spec.user = "0:0";
    spec.working_dir = "/own";
    spec.stop_signal = "9";
    spec.mounts = {volume("named", "/data/")};
    spec.healthcheck = Healthcheck{.test = {}, .retries = 9};
    ContainerInfo info = containers().inspect(containers().create(spec));
    EXPECT_EQ(info.user, "0:0");
    EXPECT_EQ(info.working_dir, "/own");
    EXPECT_EQ(info.stop_signal, "9");
    ASSERT_EQ(info.mounts.size(), 1u) << "no anonymous volume where something is mounted";
    EXPECT_EQ(info.mounts[0].source, "named");
    ASSERT_TRUE(info.healthcheck);
    EXPECT_EQ(info.healthcheck->retries, 9);
    EXPECT_EQ(info.healthcheck->interval, std::chrono::seconds(7)) << "the rest is the image's";
    spec.healthcheck = Healthcheck{.test = {"NONE"}};
    EXPECT_FALSE(containers().inspect(containers().create(spec)).healthcheck);
}

TEST_F(Create, AnImageWithoutACommandNeedsOne) {
    import("bare", test::busybox_tar());
    ContainerSpec spec;
    spec.image = "bare";
    EXPECT_EQ(refused(spec), "No command specified");
}

TEST_F(Create, PublishAllPublishesWhatTheImageExposes) {
    import("exposing", test::busybox_tar(), {"EXPOSE 8080/tcp", "EXPOSE 5353/udp"});
    make_network("front");
    ContainerSpec spec = shell("sleep 100");
    spec.image = "exposing";
    spec.publish_all = true;
    spec.networks = {on("front")};
    std::string id = run(spec);
    std::vector<PortBinding> ports = containers().inspect(id).ports;
    ASSERT_EQ(ports.size(), 4u) << "over both families";
    for (const auto& port : ports) {
        EXPECT_GT(port.host_port, 0);
        EXPECT_EQ(port.container_port, port.protocol == Protocol::udp ? 5353 : 8080);
    }
}

TEST_F(Create, ACreatedContainerSurvivesTheAgentAndIsFoundByNameIdAndPrefix) {
    std::string id = containers().create(shell("exit 5", "kept"));
    close_engine();
    open_engine();
    ContainerInfo info = containers().inspect("kept");
    EXPECT_EQ(info.id, id);
    EXPECT_EQ(info.status, Status::created);
    EXPECT_EQ(info.arguments, (std::vector<std::string>{"sh", "-c", "exit 5"}));
    EXPECT_EQ(containers().inspect("/kept").id, id) << "Docker's clients put a slash in front";
    EXPECT_EQ(containers().inspect(id.substr(0, 4)).id, id);
    containers().start("kept");
    EXPECT_EQ(containers().wait(id), 5);
}
