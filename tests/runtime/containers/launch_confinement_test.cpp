#include "tests/runtime/containers/launch_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

namespace kedge::runtime {

TEST_F(LaunchTest, CapabilitiesAreExactlyDockers) {
    const std::string none = "0000000000000000";
    EXPECT_EQ(print("c1", "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | tr -d '\\t'"),
              "CapInh:" + none +
                  "\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\nCapBnd:00000000a80425fb\nCapAmb:" + none + "\n");
    LaunchRequest r = shell("c2", "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status | tr -d '\\t'");
    r.user = "app";
    run(r);
    EXPECT_EQ(output("c2"), "CapPrm:" + none + "\nCapEff:" + none + "\nCapBnd:00000000a80425fb\n");
    r = shell("c3", "grep CapEff /proc/self/status | tr -d '\\t'");
    r.spec.cap_drop = {"ALL"};
    r.spec.cap_add = {"NET_ADMIN", "cap_kill"};
    run(r);
    EXPECT_EQ(output("c3"), "CapEff:0000000000001020\n");
    r = request("c4", {"true"});
    r.spec.cap_add = {"FLYING"};
    EXPECT_EQ(refusal(r), "invalid CapAdd: unknown capability: \"CAP_FLYING\"");
}

TEST_F(LaunchTest, APrivilegedContainerHasWhatTheMachineHasAndIsToldWhatItLacks) {
    LaunchRequest r = shell("p",
                            "grep CapEff /proc/self/status | tr -d '\\t'; grep Seccomp: /proc/self/status | tr -d "
                            "'\\t'; ls /dev/ | grep -c .; touch /proc/sys/kernel/x 2>&1 | grep -c Read-only");
    r.spec.privileged = true;
    run(r);
    std::string own = slurp("/proc/self/status");
    std::string mine = own.substr(own.find("CapBnd:\t") + 8, 16);
    EXPECT_NE(output("p").find("CapEff:" + mine + "\nSeccomp:0\n"), std::string::npos) << output("p");
    bool lacks_resource = (std::stoull(mine, nullptr, 16) >> 24 & 1) == 0;
    EXPECT_EQ(!launcher_->warnings("p").empty(), lacks_resource);
}

TEST_F(LaunchTest, TheFilterRefusesWhatContainersHaveNoUseFor) {
    LaunchRequest r = shell("s1",
                            "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status | tr -d '\\t'; unshare -m true 2>&1 | "
                            "grep -c 'not permitted'; mount -t tmpfs x /tmp 2>&1 | grep -c -E 'denied|not permitted'");
    run(r);
    EXPECT_EQ(output("s1"), "NoNewPrivs:0\nSeccomp:2\n1\n1\n");
    r = shell("s2", "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status | tr -d '\\t'; unshare -U true && echo yes");
    r.spec.security_opt = {"no-new-privileges", "seccomp=unconfined"};
    run(r);
    EXPECT_EQ(output("s2"), "NoNewPrivs:1\nSeccomp:0\nyes\n");
    r = shell("s3", "mkdir /tmp/x 2>/dev/null; echo $?; grep Seccomp: /proc/self/status | tr -d '\\t'");
    r.spec.security_opt = {
        R"(seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]})"};
    run(r);
    EXPECT_EQ(output("s3"), "1\nSeccomp:2\n");
    r = request("s4", {"true"});
    for (
        const char* bad :
        {"seccomp={", "seccomp={}", R"(seccomp={"defaultAction":"SCMP_ACT_DANCE"})", R"(seccomp={"defaultAction":5})",
         R"(seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_KILL","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]})"}) {
        r.spec.security_opt = {bad};
        EXPECT_TRUE(refusal(r).starts_with("seccomp profile: ")) << bad;
    }
    r.spec.security_opt = {"nonsense=1"};
    EXPECT_EQ(refusal(r), "invalid --security-opt 2: \"nonsense=1\"");
}

TEST_F(LaunchTest, LimitsStandInTheCgroup) {
    LaunchRequest r = request("l", {"sleep", "100"});
    r.spec.resources.memory = 64 << 20;
    r.spec.resources.nano_cpus = 1500000000;
    r.spec.resources.pids_limit = 33;
    r.spec.resources.cpuset_cpus = "0";
    r.spec.ulimits = {{"nofile", 100, 200}};
    Launched launched = start(r);
    std::string group = slurp("/proc/" + std::to_string(launched.init.pid) + "/cgroup");
    size_t groups = 0;
    std::istringstream lines(group);
    for (std::string line; std::getline(lines, line); groups++)
        EXPECT_TRUE(line.ends_with("/" + instance_ + "/l")) << line;
    EXPECT_GT(groups, 0u);
    auto value = [&](const char* v1, const char* v2) {
        std::string old = "/sys/fs/cgroup/" + std::string(v1).insert(std::string(v1).find('/'), "/" + instance_ + "/l");
        return std::filesystem::exists(old) ? slurp(old) : slurp("/sys/fs/cgroup/" + instance_ + "/l/" + v2);
    };
    EXPECT_EQ(value("memory/memory.limit_in_bytes", "memory.max"), "67108864\n");
    EXPECT_TRUE(value("cpu/cpu.cfs_quota_us", "cpu.max").starts_with("150000"));
    EXPECT_EQ(value("pids/pids.max", "pids.max"), "33\n");
    EXPECT_EQ(value("cpuset/cpuset.cpus", "cpuset.cpus"), "0\n");
    EXPECT_NE(slurp("/proc/" + std::to_string(launched.init.pid) + "/limits")
                  .find("Max open files            100                  200"),
              std::string::npos);
}

TEST_F(LaunchTest, AContainerThatUsesTooMuchMemoryIsRecordedAsKilledForIt) {
    LaunchRequest r = shell("o", "x=$(head -c 60000000 /dev/zero | tr '\\0' x); exit 3");
    r.spec.resources.memory = 16 << 20;
    r.spec.resources.memory_swap = 16 << 20;
    ExitRecord record = run(r);
    EXPECT_TRUE(record.oom_killed);
    EXPECT_NE(record.exit_code, 3);
}

TEST_F(LaunchTest, OnlyDevicesOfTheListCanBeOpened) {
    LaunchRequest r = shell("d1",
                            "mknod /tmp/kmsg c 1 11; cat /tmp/kmsg 2>&1 | head -n 1; mknod /tmp/zero c 1 5 && head -c "
                            "1 /tmp/zero | grep -c .");
    run(r);
    EXPECT_NE(output("d1").find("Operation not permitted"), std::string::npos) << output("d1");
    r = shell("d2",
              "ls -l /dev/mine | tr -s ' ' | cut -c1; dd if=/dev/mine of=/dev/null bs=1 count=1 2>/dev/null && echo "
              "read; : >/dev/mine || echo refused");
    r.spec.devices = {{"/dev/urandom", "/dev/mine", "r"}};
    run(r);
    EXPECT_NE(output("d2").find("read\n"), std::string::npos) << output("d2");
    r = request("d3", {"true"});
    r.spec.devices = {{"/etc/passwd", "/dev/x", "rwm"}};
    EXPECT_EQ(refusal(r),
              "error gathering device information while adding custom device \"/etc/passwd\": not a device node");
}

TEST_F(LaunchTest, SysctlsReachOnlyTheContainersNamespaces) {
    LaunchRequest r = shell(
        "y1",
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start");
    r.spec.sysctls = {{"net.ipv4.ip_forward", "1"}, {"kernel.msgmax", "4096"}};
    run(r);
    EXPECT_EQ(output("y1"), "1\n4096\n0\n");
    r = request("y2", {"true"});
    r.spec.sysctls = {{"kernel.panic", "1"}};
    EXPECT_EQ(refusal(r), "sysctl 'kernel.panic=1' is not allowed: it does not belong to a namespace");
    r.spec.sysctls = {{"net.ipv4.ip_forward", "1"}};
    r.new_network_namespace = false;
    EXPECT_EQ(refusal(r), "sysctl 'net.ipv4.ip_forward' is not allowed in the host's network namespace");
}

TEST_F(LaunchTest, WhatTheAgentHasForItselfIsNotInherited) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit raised{before.rlim_max, before.rlim_max};
    ASSERT_GT(before.rlim_max, 1024u);
    std::string score = slurp("/proc/self/oom_score_adj");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
    std::ofstream("/proc/self/oom_score_adj") << "300";
    const char* script = "ulimit -Sn; cat /proc/self/oom_score_adj";
    EXPECT_EQ(print("i1", script), "1024\n0\n");
    LaunchRequest r = shell("i2", script);
    r.spec.ulimits = {{"nofile", 2000, 2000}};
    r.spec.oom_score_adj = 500;
    run(r);
    EXPECT_EQ(output("i2"), "2000\n500\n");
    EXPECT_TRUE(launcher_->warnings("i1").empty());
    std::ofstream("/proc/self/oom_score_adj") << score;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(LaunchTest, ALimitAboveTheAgentsOwnDegradesWithAWarning) {
    LaunchRequest r = shell("r", "ulimit -Hn");
    r.spec.ulimits = {{"nofile", 1048577, 1048577}};
    r.spec.oom_score_adj = -500;
    run(r);
    bool lacks = output("r") != "1048577\n";
    EXPECT_EQ(launcher_->warnings("r").size() >= 1, lacks);
    r = request("r2", {"true"});
    r.spec.ulimits = {{"wishes", 1, 1}};
    EXPECT_EQ(refusal(r), "invalid ulimit type: wishes");
}

}  // namespace kedge::runtime
