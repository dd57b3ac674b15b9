#include "base/error.h"
#include "cli/arguments.h"
#include "cli/run_options.h"

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

using namespace kedge;
using namespace kedge::cli;
using nlohmann::json;
using Words = std::vector<std::string>;

namespace {

Outside imagined(std::map<std::string, std::string> variables = {}, std::map<std::string, std::string> files = {}) {
    Outside outside;
    outside.variable = [=](const std::string& name) {
        auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    outside.file = [=](const std::string& path) {
        auto found = files.find(path);
        if (found == files.end()) throw errno_error("open " + path, ENOENT);
        return found->second;
    };
    outside.folder = "/home/me";
    return outside;
}

/// The options of `kedge run <words>`.
RunOptions options_of(const Words& words) {
    CLI::App app("", "kedge");
    app.require_subcommand(1);
    CLI::App* run = app.add_subcommand("run");
    RunOptions options;
    add_run_flags(CommandLine(*run), options);
    Words line = {"run"};
    line.insert(line.end(), words.begin(), words.end());
    Words read = as_docker_reads(app, line);
    std::reverse(read.begin(), read.end());
    app.parse(read);
    take_words(CommandLine(*run), options);
    return options;
}

json body_of(const Words& words, const Outside& outside = imagined()) {
    RunOptions options = options_of(words);
    check_run(options);
    return container_body(options, outside);
}

/// The body with `busybox` behind the flags.
json with(Words flags, const Outside& outside = imagined()) {
    flags.push_back("busybox");
    return body_of(flags, outside);
}

/// What is wrong with these flags; empty if nothing is.
std::string refusal(Words flags, const Outside& outside = imagined()) {
    flags.push_back("busybox");
    try {
        (void)body_of(flags, outside);
        return {};
    } catch (const Error& error) {
        EXPECT_EQ(error.code() == Code::invalid_argument || error.code() == Code::not_found, true);
        return error.what();
    }
}

/// A flag with its value, and the part of the body that it becomes.
struct Case {
    Words flags;
    const char* where;
    json becomes;
};

void expect_all(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        json body = with(c.flags);
        json::json_pointer where(c.where);
        std::string said = c.flags[0] + (c.flags.size() > 1 ? " " + c.flags[1] : "");
        EXPECT_TRUE(body.contains(where) && body[where] == c.becomes) << said << " became " << body;
    }
}

}  // namespace

TEST(ContainerBody, AnImageAloneAsksForItsOutputAndTheDefaultNetwork) {
    json expected = {{"Image", "busybox"},
                     {"AttachStdout", true},
                     {"AttachStderr", true},
                     {"HostConfig", {{"NetworkMode", "default"}}}};
    EXPECT_EQ(body_of({"busybox"}), expected);
}

TEST(ContainerBody, WhatFollowsTheImageIsTheCommandWhateverItLooksLike) {
    EXPECT_EQ(body_of({"--rm", "busybox", "ls", "--rm", "-e", "A=b", "--", "-x"})["Cmd"],
              json({"ls", "--rm", "-e", "A=b", "--", "-x"}));
    EXPECT_EQ(body_of({"--", "busybox", "ps"})["Cmd"], json({"ps"}));
    EXPECT_EQ(body_of({"run", "run"})["Cmd"], json({"run"}));
}

TEST(ContainerBody, EveryPlainFlagHasItsPlace) {
    expect_all({{{"-e", "A=b"}, "/Env", {"A=b"}},
                {{"--env=A=b=c"}, "/Env", {"A=b=c"}},
                {{"-e", "[a,b]=x"}, "/Env", {"[a,b]=x"}},
                {{"--label", "a"}, "/Labels", {{"a", ""}}},
                {{"-l", "a=b=c"}, "/Labels", {{"a", "b=c"}}},
                {{"-u", "1000:1000"}, "/User", "1000:1000"},
                {{"-w", "/work"}, "/WorkingDir", "/work"},
                {{"-h", "box"}, "/Hostname", "box"},
                {{"--domainname", "example.org"}, "/Domainname", "example.org"},
                {{"--entrypoint", "/bin/sh"}, "/Entrypoint", {"/bin/sh"}},
                {{"--stop-signal", "INT"}, "/StopSignal", "INT"},
                {{"--stop-timeout", "3"}, "/StopTimeout", 3},
                {{"--rm"}, "/HostConfig/AutoRemove", true},
                {{"--init"}, "/HostConfig/Init", true},
                {{"--read-only"}, "/HostConfig/ReadonlyRootfs", true},
                {{"--privileged"}, "/HostConfig/Privileged", true},
                {{"-P"}, "/HostConfig/PublishAllPorts", true},
                {{"--cap-add", "NET_ADMIN"}, "/HostConfig/CapAdd", {"NET_ADMIN"}},
                {{"--cap-drop", "ALL"}, "/HostConfig/CapDrop", {"ALL"}},
                {{"--group-add", "video"}, "/HostConfig/GroupAdd", {"video"}},
                {{"--security-opt", "no-new-privileges"}, "/HostConfig/SecurityOpt", {"no-new-privileges"}},
                {{"--sysctl", "net.core.somaxconn=1024"}, "/HostConfig/Sysctls", {{"net.core.somaxconn", "1024"}}},
                {{"--pid", "host"}, "/HostConfig/PidMode", "host"},
                {{"--ipc", "container:db"}, "/HostConfig/IpcMode", "container:db"},
                {{"--dns", "1.1.1.1"}, "/HostConfig/Dns", {"1.1.1.1"}},
                {{"--dns-search", "example.org"}, "/HostConfig/DnsSearch", {"example.org"}},
                {{"--add-host", "db:10.0.0.1"}, "/HostConfig/ExtraHosts", {"db:10.0.0.1"}},
                {{"--add-host", "db=host-gateway"}, "/HostConfig/ExtraHosts", {"db:host-gateway"}},
                {{"--add-host", "db=[2001:db8::1]"}, "/HostConfig/ExtraHosts", {"db:2001:db8::1"}},
                {{"--restart", "always"}, "/HostConfig/RestartPolicy", {{"Name", "always"}}},
                {{"--restart", "on-failure:5"},
                 "/HostConfig/RestartPolicy",
                 {{"Name", "on-failure"}, {"MaximumRetryCount", 5}}},
                {{"--log-opt", "max-size=1m"}, "/HostConfig/LogConfig/Config", {{"max-size", "1m"}}},
                {{"--tmpfs", "/run:size=1m,mode=755"}, "/HostConfig/Tmpfs", {{"/run", "size=1m,mode=755"}}}});
}

TEST(ContainerBody, LimitsBecomeNumbers) {
    expect_all(
        {{{"-m", "512m"}, "/HostConfig/Memory", 512 << 20},
         {{"--memory", "1.5g"}, "/HostConfig/Memory", int64_t{1536} << 20},
         {{"--memory-swap", "-1"}, "/HostConfig/MemorySwap", -1},
         {{"--memory-reservation", "4096"}, "/HostConfig/MemoryReservation", 4096},
         {{"--shm-size", "1G"}, "/HostConfig/ShmSize", 1 << 30},
         {{"--cpus", "1.5"}, "/HostConfig/NanoCpus", 1'500'000'000},
         {{"--cpus", ".5"}, "/HostConfig/NanoCpus", 500'000'000},
         {{"--cpuset-cpus", "0-1"}, "/HostConfig/CpusetCpus", "0-1"},
         {{"--cpuset-mems", "0"}, "/HostConfig/CpusetMems", "0"},
         {{"--blkio-weight", "300"}, "/HostConfig/BlkioWeight", 300},
         {{"-c", "512"}, "/HostConfig/CpuShares", 512},
         {{"--cpu-quota", "50000"}, "/HostConfig/CpuQuota", 50000},
         {{"--cpu-period", "20000"}, "/HostConfig/CpuPeriod", 20000},
         {{"--pids-limit", "-1"}, "/HostConfig/PidsLimit", -1},
         {{"--oom-score-adj", "-500"}, "/HostConfig/OomScoreAdj", -500},
         {{"--ulimit", "nofile=10:20"}, "/HostConfig/Ulimits/0", {{"Name", "nofile"}, {"Soft", 10}, {"Hard", 20}}},
         {{"--ulimit", "core=-1"}, "/HostConfig/Ulimits/0", {{"Name", "core"}, {"Soft", -1}, {"Hard", -1}}},
         {{"--device", "/dev/fuse"},
          "/HostConfig/Devices/0",
          {{"PathOnHost", "/dev/fuse"}, {"PathInContainer", "/dev/fuse"}, {"CgroupPermissions", "rwm"}}},
         {{"--device", "/dev/sda:r"},
          "/HostConfig/Devices/0",
          {{"PathOnHost", "/dev/sda"}, {"PathInContainer", "/dev/sda"}, {"CgroupPermissions", "r"}}},
         {{"--device", "/dev/sda:/dev/disk:rw"},
          "/HostConfig/Devices/0",
          {{"PathOnHost", "/dev/sda"}, {"PathInContainer", "/dev/disk"}, {"CgroupPermissions", "rw"}}}});
}

TEST(ContainerBody, PublishedPortsMayHaveAnAddressAProtocolAndARange) {
    auto binding = [](const std::string& ip, const std::string& port) {
        return json::array({{{"HostIp", ip}, {"HostPort", port}}});
    };
    expect_all({{{"-p", "80"}, "/HostConfig/PortBindings", {{"80/tcp", binding("", "")}}},
                {{"-p8080:80"}, "/HostConfig/PortBindings", {{"80/tcp", binding("", "8080")}}},
                {{"-p=8080:80/udp"}, "/HostConfig/PortBindings", {{"80/udp", binding("", "8080")}}},
                {{"-p", "127.0.0.1:8080:80"}, "/HostConfig/PortBindings", {{"80/tcp", binding("127.0.0.1", "8080")}}},
                {{"-p", "127.0.0.1::80"}, "/HostConfig/PortBindings", {{"80/tcp", binding("127.0.0.1", "")}}},
                {{"-p", "[::1]:8080:80/TCP"}, "/HostConfig/PortBindings", {{"80/tcp", binding("::1", "8080")}}},
                {{"-p", "8000-8001:80-81"},
                 "/HostConfig/PortBindings",
                 {{"80/tcp", binding("", "8000")}, {"81/tcp", binding("", "8001")}}},
                {{"--expose", "77/sctp"}, "/ExposedPorts", {{"77/sctp", json::object()}}},
                {{"-p", "80", "--expose", "90-91/udp"},
                 "/ExposedPorts",
                 {{"80/tcp", json::object()}, {"90/udp", json::object()}, {"91/udp", json::object()}}}});
    EXPECT_EQ(with({"-p", "1:80", "-p", "2:80"})["HostConfig"]["PortBindings"]["80/tcp"].size(), 2u);
}

TEST(ContainerBody, BadPortsAreRefusedInDockersWords) {
    EXPECT_EQ(refusal({"-p", "80:x"}), "invalid containerPort: x");
    EXPECT_EQ(refusal({"-p", "80:0"}), "invalid containerPort: 0");
    EXPECT_EQ(refusal({"-p", "80:65536"}), "invalid containerPort: 65536");
    EXPECT_EQ(refusal({"-p", "x:80"}), "invalid hostPort: x");
    EXPECT_EQ(refusal({"-p", "90-80:80"}), "invalid hostPort: 90-80");
    EXPECT_EQ(refusal({"-p", "80:"}), "no port specified: 80:<empty>");
    EXPECT_EQ(refusal({"-p", ""}), "no port specified: <empty>");
    EXPECT_EQ(refusal({"-p", "80/icmp"}), "invalid proto: icmp");
    EXPECT_EQ(refusal({"-p", "1.2.3:80:80"}), "invalid IP address: 1.2.3");
    EXPECT_EQ(refusal({"-p", "1-2:80-82"}), "invalid ranges specified for container and host Ports: 80-82 and 1-2");
    EXPECT_EQ(refusal({"-p", "1-2:80"}), "a range of host ports for one container port is not supported yet: 1-2:80");
    EXPECT_EQ(refusal({"-p", "80/sctp"}), "sctp is not supported yet");
    EXPECT_EQ(refusal({"--expose", "80:80"}), "invalid port format for --expose: 80:80");
    EXPECT_EQ(refusal({"--expose", "80/icmp"}), "invalid proto: icmp");
    EXPECT_EQ(refusal({"--expose", "x"}), "invalid range format for --expose: x");
}

TEST(ContainerBody, VolumesAreBindsOrAnonymous) {
    expect_all({{{"-v", "/data"}, "/Volumes", {{"/data", json::object()}}},
                {{"-v", "data:/data"}, "/HostConfig/Binds", {"data:/data"}},
                {{"-v", "/srv:/data:ro"}, "/HostConfig/Binds", {"/srv:/data:ro"}},
                {{"-v", "./site:/data:ro,z"}, "/HostConfig/Binds", {"/home/me/site:/data:ro,z"}},
                {{"-v", "../site/:/data"}, "/HostConfig/Binds", {"/home/site:/data"}},
                {{"-v", ".:/data"}, "/HostConfig/Binds", {"/home/me:/data"}}});
    EXPECT_EQ(refusal({"-v", ""}), "invalid empty volume spec");
    EXPECT_EQ(refusal({"-v", ":/data"}), "invalid spec: :/data: empty section between colons");
    EXPECT_EQ(refusal({"-v", "a:b:c:d"}), "invalid volume specification: 'a:b:c:d'");
}

TEST(ContainerBody, MountsAreReadFieldByField) {
    expect_all(
        {{{"--mount", "type=bind,src=/a,dst=/b,readonly"},
          "/HostConfig/Mounts/0",
          {{"Type", "bind"}, {"Source", "/a"}, {"Target", "/b"}, {"ReadOnly", true}}},
         {{"--mount", "source=data,target=/b,ro=false"},
          "/HostConfig/Mounts/0",
          {{"Type", "volume"}, {"Source", "data"}, {"Target", "/b"}, {"ReadOnly", false}}},
         {{"--mount", "type=bind,source=./x,destination=/b,bind-propagation=rslave"},
          "/HostConfig/Mounts/0",
          {{"Type", "bind"}, {"Source", "/home/me/x"}, {"Target", "/b"}, {"BindOptions", {{"Propagation", "rslave"}}}}},
         {{"--mount", "type=tmpfs,target=/b,tmpfs-size=1m,tmpfs-mode=1770"},
          "/HostConfig/Mounts/0",
          {{"Type", "tmpfs"}, {"Target", "/b"}, {"TmpfsOptions", {{"SizeBytes", 1 << 20}, {"Mode", 01770}}}}},
         {{"--mount", "type=bind,\"source=/a,b\",target=/c"},
          "/HostConfig/Mounts/0",
          {{"Type", "bind"}, {"Source", "/a,b"}, {"Target", "/c"}}},
         {{"--mount", "target=/b,volume-nocopy"},
          "/HostConfig/Mounts/0",
          {{"Type", "volume"}, {"Target", "/b"}, {"VolumeOptions", {{"NoCopy", true}}}}}});
}

TEST(ContainerBody, BadMountsAreRefusedInDockersWords) {
    auto wrapped = [](const std::string& flag, const std::string& reason) {
        return "invalid argument \"" + flag + "\" for \"--mount\" flag: " + reason;
    };
    for (const auto& [flag, reason] : std::map<std::string, std::string>{
             {"type=bind,source=/a", "target is required"},
             {"type=bind,nonsense", "invalid field 'nonsense' must be a key=value pair"},
             {"type=bind,target=/b,size=3", "unexpected key 'size' in 'size=3'"},
             {"target=/b,readonly=perhaps", "invalid value for readonly: perhaps"},
             {"type=bind,source=/a,target=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"},
             {"target=/b,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'volume'"},
             {"type=tmpfs,target=/b,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"},
             {"type=tmpfs,target=/b,tmpfs-size=much", "invalid size: 'much'"},
             {"type=cluster,target=/b", "mount type cluster is not supported"},
             {"type=image,source=i,target=/b,volume-opt=a=b", "cannot mix 'volume-*' options with mount type 'image'"},
             {"target=/b,image-subpath=a", "cannot mix 'image-*' options with mount type 'volume'"},
             {"type=bind,source=/a,target=/b,bind-recursive=x",
              "invalid value for bind-recursive: x (must be \"enabled\", \"disabled\", \"writable\", or "
              "\"readonly\")"}}) {
        EXPECT_EQ(refusal({"--mount", flag}), wrapped(flag, reason));
    }
}

TEST(ContainerBody, VariablesComeFromFilesThenFlagsAndMayTakeThisShellsValue) {
    Outside outside =
        imagined({{"HOME", "/home/me"}, {"EMPTY", ""}},
                 {{"a.env", "\xEF\xBB\xBF# a comment\n\nA=from file\r\n  B=2\nHOME\nABSENT\nC= spaces stay \n"}});
    EXPECT_EQ(
        with({"--env-file", "a.env", "-e", "EMPTY", "-e", "MISSING", "-e", "A=from flag"}, outside)["Env"],
        json({"A=from file", "B=2", "HOME=/home/me", "ABSENT", "C= spaces stay ", "EMPTY=", "MISSING", "A=from flag"}))
        << "a name alone takes a variable out of the environment";
    EXPECT_EQ(refusal({"-e", "=x"}),
              "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x");
    EXPECT_EQ(refusal({"--env-file", "none.env"}), "open none.env: no such file or directory");
    EXPECT_EQ(refusal({"--env-file", "bad.env"}, imagined({}, {{"bad.env", "A B=c\n"}})),
              "invalid env file (bad.env): variable 'A B' contains whitespaces");
    EXPECT_EQ(refusal({"--env-file", "bad.env"}, imagined({}, {{"bad.env", "=c\n"}})),
              "invalid env file (bad.env): no variable name on line '=c'");
}

TEST(ContainerBody, LabelsComeFromFilesThenFlags) {
    Outside outside = imagined({}, {{"labels", "a=1\nb\n"}});
    EXPECT_EQ(with({"--label-file", "labels", "-l", "a=2"}, outside)["Labels"], json({{"a", "2"}, {"b", ""}}));
    EXPECT_EQ(refusal({"-l", "=x"}),
              "invalid argument \"=x\" for \"-l, --label\" flag: invalid label '=x': empty name");
    EXPECT_EQ(refusal({"-l", "a b=x"}),
              "invalid argument \"a b=x\" for \"-l, --label\" flag: label 'a b' contains whitespaces");
}

TEST(ContainerBody, NetworksHaveAliasesAndAddressesIfTheyAreOnesOwn) {
    json body = with({"--network", "front", "--network-alias", "www", "--ip", "10.5.0.9"});
    EXPECT_EQ(body["HostConfig"]["NetworkMode"], "front");
    EXPECT_EQ(body["NetworkingConfig"]["EndpointsConfig"],
              json({{"front", {{"Aliases", {"www"}}, {"IPAMConfig", {{"IPv4Address", "10.5.0.9"}}}}}}));
    body = with({"--net", "name=front,alias=www,ip=10.5.0.9", "--network", "back"});
    EXPECT_EQ(body["HostConfig"]["NetworkMode"], "front");
    EXPECT_EQ(body["NetworkingConfig"]["EndpointsConfig"].size(), 2u);
    EXPECT_EQ(with({"--network", "container:db"})["HostConfig"]["NetworkMode"], "container:db");
    EXPECT_FALSE(with({"--network", "host"}).contains("NetworkingConfig"));

    EXPECT_EQ(refusal({"--network-alias", "www"}),
              "network-scoped aliases are only supported for user-defined networks");
    EXPECT_EQ(refusal({"--network", "bridge", "--ip", "10.5.0.9"}),
              "user specified IP address is supported on user defined networks only");
    EXPECT_EQ(refusal({"--network", "front", "--ip", "10.5.0"}), "invalid IPv4 address: 10.5.0");
    EXPECT_EQ(refusal({"--network", "bridge", "--ip6", "fd00::9"}),
              "user specified IP address is supported on user defined networks only");
    EXPECT_EQ(with({"--network", "name=front,ip6=fd00::9", "--network",
                    "back"})["NetworkingConfig"]["EndpointsConfig"]["front"],
              json({{"IPAMConfig", {{"IPv6Address", "fd00::9"}}}}));
    EXPECT_EQ(with({"--network", "front", "--ip6",
                    "fd00::9"})["NetworkingConfig"]["EndpointsConfig"]["front"]["IPAMConfig"]["IPv6Address"],
              "fd00::9");
    EXPECT_EQ(refusal({"--network", "front", "--ip6", "10.5.0.9"}), "invalid IPv6 address: 10.5.0.9");
    EXPECT_EQ(refusal({"--network", "host", "--network", "front"}),
              "conflicting options: cannot attach both user-defined and non-user-defined network-modes");
    EXPECT_EQ(refusal({"--network", "name=front,ip6=x"}), "invalid IPv6 address: x");
    EXPECT_EQ(refusal({"--dns", "dns.example.org"}),
              "invalid argument \"dns.example.org\" for \"--dns\" flag: IP address is not correctly formatted: "
              "dns.example.org");
    EXPECT_EQ(refusal({"--add-host", "db"}),
              "invalid argument \"db\" for \"--add-host\" flag: bad format for add-host: \"db\"");
    EXPECT_EQ(refusal({"--add-host", "db:nowhere"}),
              "invalid argument \"db:nowhere\" for \"--add-host\" flag: invalid IP address in add-host: \"nowhere\"");
}

TEST(ContainerBody, HealthChecksAreShellCommandsWithTimes) {
    json expected = {{"Test", {"CMD-SHELL", "curl -f localhost"}},
                     {"Interval", 5'000'000'000},
                     {"Timeout", 500'000'000},
                     {"StartPeriod", 60'000'000'000},
                     {"StartInterval", 1'000'000'000},
                     {"Retries", 2}};
    EXPECT_EQ(
        with({"--health-cmd", "curl -f localhost", "--health-interval", "5s", "--health-timeout", "500ms",
              "--health-start-period", "1m", "--health-start-interval", "1s", "--health-retries", "2"})["Healthcheck"],
        expected);
    EXPECT_EQ(with({"--no-healthcheck"})["Healthcheck"], json({{"Test", {"NONE"}}}));
    EXPECT_EQ(refusal({"--no-healthcheck", "--health-retries", "3"}),
              "--no-healthcheck conflicts with --health-* options");
    EXPECT_EQ(refusal({"--health-interval", "-5s"}), "--health-interval cannot be negative");
    EXPECT_EQ(refusal({"--health-retries", "-1"}), "--health-retries cannot be negative");
    EXPECT_EQ(refusal({"--health-timeout", "soon"}),
              "invalid argument \"soon\" for \"--health-timeout\" flag: \"soon\" is not a duration");
}

TEST(ContainerBody, BadLimitsAreRefusedInDockersWords) {
    EXPECT_EQ(refusal({"-m", "much"}), "invalid argument \"much\" for \"-m, --memory\" flag: invalid size: 'much'");
    EXPECT_EQ(refusal({"-m", "-1"}), "invalid argument \"-1\" for \"-m, --memory\" flag: invalid size: '-1'");
    EXPECT_EQ(refusal({"--cpus", "many"}),
              "invalid argument \"many\" for \"--cpus\" flag: failed to parse many as a rational number");
    EXPECT_EQ(refusal({"--cpus", "1", "--cpu-quota", "5000"}),
              "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    EXPECT_EQ(refusal({"--ulimit", "nofile"}),
              "invalid argument \"nofile\" for \"--ulimit\" flag: invalid ulimit argument: nofile");
    EXPECT_EQ(refusal({"--ulimit", "files=1"}),
              "invalid argument \"files=1\" for \"--ulimit\" flag: invalid ulimit type: files");
    EXPECT_EQ(refusal({"--ulimit", "nofile=20:10"}),
              "invalid argument \"nofile=20:10\" for \"--ulimit\" flag: ulimit soft limit must be less than or equal "
              "to hard limit: 20 > 10");
    EXPECT_EQ(refusal({"--device", "sda"}),
              "invalid argument \"sda\" for \"--device\" flag: sda is not an absolute path");
    EXPECT_EQ(refusal({"--device", "/dev/sda:/dev/sda:x"}), "bad mode specified: x");
    EXPECT_EQ(refusal({"--restart", "on-failure:x"}),
              "invalid restart policy format: maximum retry count must be an integer");
    EXPECT_EQ(refusal({"--restart", ":3"}), "invalid restart policy format: no policy provided before colon");
    EXPECT_EQ(refusal({"--sysctl", "net"}), "invalid argument \"net\" for \"--sysctl\" flag: must be a key=value pair");
    EXPECT_EQ(refusal({"--pid", "mine"}), "--pid: invalid PID mode");
    EXPECT_EQ(refusal({"--ipc", "container:"}), "invalid IPC mode: container:");
    EXPECT_EQ(refusal({"--pull", "sometimes"}),
              "invalid pull option: 'sometimes': must be one of \"always\", \"missing\" or \"never\"");
}

TEST(ContainerBody, ASeccompProfileIsSentAsItsContent) {
    Outside outside = imagined({}, {{"profile.json", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"}});
    EXPECT_EQ(with({"--security-opt", "seccomp=profile.json"}, outside)["HostConfig"]["SecurityOpt"],
              json({"seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"}));
    EXPECT_EQ(with({"--security-opt", "seccomp=unconfined"})["HostConfig"]["SecurityOpt"],
              json({"seccomp=unconfined"}));
    EXPECT_EQ(refusal({"--security-opt", "seccomp=none.json"}),
              "opening seccomp profile (none.json) failed: open none.json: no such file or directory");
}

TEST(ContainerBody, MountsOfImagesAndVolumesWithOptions) {
    auto mount = [](const char* flag) { return with({"--mount", flag})["HostConfig"]["Mounts"][0]; };
    EXPECT_EQ(mount("type=image,source=web:1,target=/x,image-subpath=etc"),
              (json{{"Type", "image"}, {"Source", "web:1"}, {"Target", "/x"}, {"ImageOptions", {{"Subpath", "etc"}}}}));
    EXPECT_EQ(mount("source=fast,target=/x,volume-driver=local,volume-opt=type=tmpfs,\"volume-opt=o=size=1m,uid=5\"")
                  ["VolumeOptions"]["DriverConfig"],
              (json{{"Name", "local"}, {"Options", {{"type", "tmpfs"}, {"o", "size=1m,uid=5"}}}}));
}

TEST(ContainerBody, UnconfinedSystemPathsAreEmptyLists) {
    const json host = with({"--security-opt", "systempaths=unconfined"})["HostConfig"];
    EXPECT_EQ(host["MaskedPaths"], json::array());
    EXPECT_EQ(host["ReadonlyPaths"], json::array());
    EXPECT_FALSE(host.contains("SecurityOpt"));
    EXPECT_FALSE(with({})["HostConfig"].contains("MaskedPaths"));
    EXPECT_EQ(with({"--security-opt", "systempaths=x"})["HostConfig"]["SecurityOpt"], json({"systempaths=x"}))
        << "the agent refuses it";
}

TEST(ContainerBody, FlagsThatContradictEachOtherAreRefused) {
    EXPECT_EQ(refusal({"--rm", "--restart", "always"}), "conflicting options: cannot specify both --restart and --rm");
    EXPECT_EQ(refusal({"--rm", "--restart", "no"}), "");
    EXPECT_EQ(refusal({"-d", "-a", "stdout"}), "conflicting options: cannot specify both --attach and --detach");
    EXPECT_EQ(refusal({"-a", "stdall"}),
              "invalid argument \"stdall\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR");
    EXPECT_EQ(refusal({"-d", "--log-driver", "none", "--log-opt", "max-size=1m"}),
              "invalid logging opts for driver none");
}

TEST(ContainerBody, WhatIsNotThereYetIsNamed) {
    EXPECT_EQ(refusal({"--link=db"}), "--link: links are not supported by kedge");
    EXPECT_EQ(refusal({"--link-local-ip", "fe80::1"}), "--link-local-ip is not supported yet");
    EXPECT_EQ(refusal({"--cpu-count=2"}), "--cpu-count is not supported yet");
    EXPECT_EQ(refusal({"--use-api-socket"}), "--use-api-socket is not supported yet");
    EXPECT_EQ(refusal({"--userns", "remap"}), "--userns: invalid USER mode");
    EXPECT_EQ(refusal({"--uts", "mine"}), "--uts: invalid UTS mode");
    EXPECT_EQ(refusal({"--cgroupns", "mine"}), "--cgroupns: invalid CGROUP mode");
}

TEST(ContainerBody, NamespacesDevicesAndTheLikeHaveTheirPlace) {
    expect_all({{{"--uts", "host"}, "/HostConfig/UTSMode", "host"},
                {{"--userns", "host"}, "/HostConfig/UsernsMode", "host"},
                {{"--cgroupns", "host"}, "/HostConfig/CgroupnsMode", "host"},
                {{"--ipc", "none"}, "/HostConfig/IpcMode", "none"},
                {{"--ipc", "container:db"}, "/HostConfig/IpcMode", "container:db"},
                {{"--cgroup-parent", "/x"}, "/HostConfig/CgroupParent", "/x"},
                {{"--volumes-from", "db:ro"}, "/HostConfig/VolumesFrom", {"db:ro"}},
                {{"--volume-driver", "local"}, "/HostConfig/VolumeDriver", "local"},
                {{"--annotation", "a=b"}, "/HostConfig/Annotations", {{"a", "b"}}},
                {{"--storage-opt", "size=1g"}, "/HostConfig/StorageOpt", {{"size", "1g"}}},
                {{"--device-cgroup-rule", "c 42:* rmw"}, "/HostConfig/DeviceCgroupRules", {"c 42:* rmw"}},
                {{"--gpus", "all"}, "/HostConfig/DeviceRequests/0/Count", -1},
                {{"--gpus", "driver=nvidia"}, "/HostConfig/DeviceRequests/0/Driver", "nvidia"},
                {{"--runtime", "kedge"}, "/HostConfig/Runtime", "kedge"},
                {{"--isolation", "default"}, "/HostConfig/Isolation", "default"},
                {{"--dns-opt", "ndots:2"}, "/HostConfig/DnsOptions", {"ndots:2"}},
                {{"--memory-swappiness", "0"}, "/HostConfig/MemorySwappiness", 0},
                {{"--oom-kill-disable"}, "/HostConfig/OomKillDisable", true},
                {{"--mac-address", "02:00:00:00:00:01"},
                 "/NetworkingConfig/EndpointsConfig/default/MacAddress",
                 "02:00:00:00:00:01"},
                {{"--network", "name=front,mac-address=02:00:00:00:00:01"},
                 "/NetworkingConfig/EndpointsConfig/front/MacAddress",
                 "02:00:00:00:00:01"},
                {{"--network", "name=front,driver-opt=a=b"},
                 "/NetworkingConfig/EndpointsConfig/front/DriverOpts",
                 {{"a", "b"}}},
                {{"--blkio-weight-device", "/dev/sda:50"},
                 "/HostConfig/BlkioWeightDevice/0",
                 {{"Path", "/dev/sda"}, {"Weight", 50}}},
                {{"--device-read-bps", "/dev/sda:1mb"},
                 "/HostConfig/BlkioDeviceReadBps/0",
                 {{"Path", "/dev/sda"}, {"Rate", 1 << 20}}},
                {{"--device-write-bps", "/dev/sda:10"}, "/HostConfig/BlkioDeviceWriteBps/0/Rate", 10},
                {{"--device-read-iops", "/dev/sda:7"}, "/HostConfig/BlkioDeviceReadIOps/0/Rate", 7},
                {{"--device-write-iops", "/dev/sda:7"}, "/HostConfig/BlkioDeviceWriteIOps/0/Rate", 7},
                {{"--mount", "type=bind,src=/a,dst=/b,bind-recursive=disabled"},
                 "/HostConfig/Mounts/0/BindOptions",
                 {{"NonRecursive", true}}},
                {{"--mount", "type=bind,src=/a,dst=/b,ro,bind-recursive=writable"},
                 "/HostConfig/Mounts/0/BindOptions",
                 {{"ReadOnlyNonRecursive", true}}},
                {{"--mount", "src=a,dst=/b,volume-subpath=x/y,volume-label=k=v"},
                 "/HostConfig/Mounts/0/VolumeOptions",
                 {{"Subpath", "x/y"}, {"Labels", {{"k", "v"}}}}}});
    EXPECT_EQ(refusal({"--network", "host", "--mac-address", "02:00:00:00:00:01"}),
              "conflicting options: mac-address and the network mode");
    EXPECT_EQ(refusal({"--device-read-bps", "/dev/sda"}),
              "invalid argument \"/dev/sda\" for \"--device-read-bps\" flag: bad format: /dev/sda");
    EXPECT_EQ(refusal({"--device-read-iops", "/dev/sda:1mb"}),
              "invalid argument \"/dev/sda:1mb\" for \"--device-read-iops\" flag: invalid rate for device: "
              "/dev/sda:1mb. The correct format is <device-path>:<number>. Number must be a positive integer");
    EXPECT_EQ(refusal({"--blkio-weight-device", "/dev/sda:5"}),
              "invalid argument \"/dev/sda:5\" for \"--blkio-weight-device\" flag: invalid weight for device: "
              "/dev/sda:5");
    EXPECT_EQ(refusal({"--blkio-weight-device", "sda:50"}),
              "invalid argument \"sda:50\" for \"--blkio-weight-device\" flag: bad format for device path: sda:50");
}

TEST(ContainerBody, WhatIsAttachedIsSaidWithTheContainer) {
    auto streams = [](const json& body) {
        std::string text;
        for (const char* name : {"Tty", "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"})
            text += body.value(name, false) ? '1' : '0';
        return text;
    };
    EXPECT_EQ(streams(with({})), "000011");
    EXPECT_EQ(streams(with({"-i"})), "011111");
    EXPECT_EQ(streams(with({"-it"})), "111111");
    EXPECT_EQ(streams(with({"-dit"})), "110000") << "its input stays open for whoever attaches later";
    EXPECT_EQ(streams(with({"-i", "-a", "stdout"})), "010010");
    EXPECT_EQ(streams(with({"-i", "-a", "STDIN", "-a", "stderr"})), "011101");
}

TEST(ContainerBody, ALeadingFlagThatIsUnknownIsNotAnImage) {
    EXPECT_EQ(refusal({"--bogus", "x"}), "unknown flag: --bogus");
    EXPECT_EQ(refusal({"-dX"}), "unknown shorthand flag: 'X' in -dX");
    EXPECT_THROW((void)options_of({"--rm"}), Error) << "no image";
    EXPECT_THROW((void)options_of({"--name"}), Error) << "no value";
    EXPECT_EQ(options_of({"--entrypoint=", "busybox"}).entrypoint, "");
    EXPECT_EQ(options_of({"--rm=false", "busybox"}).remove, false);
    EXPECT_EQ(options_of({"--sig-proxy=false", "busybox"}).sig_proxy, false);
}
