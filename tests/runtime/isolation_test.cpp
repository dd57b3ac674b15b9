#include "tests/runtime/engine_fixture.h"

#include <sys/utsname.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Isolation : test::EngineFixture {
    std::string output_of(const ContainerSpec& spec) {
        std::string output;
        (void)run_to_end(spec, &output);
        return output;
    }
    std::string output_of(const std::string& script) { return output_of(shell(script)); }
    /// A file of the container's cgroup: `memory/memory.limit_in_bytes` on v1, the other on v2.
    std::string cgroup(const std::string& id, const std::string& v1, const std::string& v2) {
        size_t slash = v1.find('/');
        std::string old = "/sys/fs/cgroup/" + v1.substr(0, slash) + "/" + instance + "/" + id + v1.substr(slash);
        if (::access(old.c_str(), F_OK) == 0) return read_file_at(AT_FDCWD, old);
        return read_file_at(AT_FDCWD, "/sys/fs/cgroup/" + instance + "/" + id + "/" + v2);
    }
    static std::string host_namespace(const std::string& name) {
        char text[64] = {};
        (void)!::readlink(("/proc/self/ns/" + name).c_str(), text, sizeof text - 1);
        return text;
    }
};

}  // namespace

TEST_F(Isolation, CapabilitiesAreDockersAndFollowWhatIsAskedFor) {
    EXPECT_EQ(output_of("grep CapEff /proc/self/status"), "CapEff:\t00000000a80425fb\n");
    ContainerSpec spec = shell("grep CapEff /proc/self/status; chown 1:1 /tmp 2>&1");
    spec.cap_drop = {"CHOWN"};
    spec.cap_add = {"SYS_TIME"};
    EXPECT_EQ(output_of(spec), "CapEff:\t00000000aa0425fa\nchown: /tmp: Operation not permitted\n");
    spec = shell("grep CapEff /proc/self/status");
    spec.user = "user";
    EXPECT_EQ(output_of(spec), "CapEff:\t0000000000000000\n");
}

TEST_F(Isolation, NoNewPrivilegesTakesTheSetuidBitsEffect) {
    import("suid", test::busybox_tar([](test::TarWriter& tar) {
               static const std::string busybox = read_file_at(AT_FDCWD, "/bin/busybox");
    // One applet that keeps its rights, to show whether the bit had an effect.
    tar.file("bin/passwd", busybox, 04755);
}));
ContainerSpec spec = shell("grep NoNewPrivs /proc/self/status; /bin/passwd -d root 2>&1 | grep -c 'must be suid'");
spec.image = "suid";
spec.user = "user";
EXPECT_EQ(output_of(spec), "NoNewPrivs:\t0\n0\n");
spec.security_opt = {"no-new-privileges"};
EXPECT_EQ(output_of(spec), "NoNewPrivs:\t1\n1\n");
}

TEST_F(Isolation, TheDefaultFilterRefusesWhatAnUnconfinedContainerMayTry) {
    const std::string script =
        "unshare -r true 2>&1 | grep -c 'not permitted'; mount -t tmpfs none /tmp 2>&1 | grep -cE 'denied|not "
        "permitted'; "
        "grep Seccomp: /proc/self/status";
    EXPECT_EQ(output_of(script), "1\n1\nSeccomp:\t2\n");
    ContainerSpec spec = shell(
        "unshare -r id -u; grep Seccomp: /proc/self/status; mount -t tmpfs none /tmp 2>&1 | grep -cE 'denied|not "
        "permitted'");
    spec.security_opt = {"seccomp=unconfined"};
    EXPECT_EQ(output_of(spec), "0\nSeccomp:\t0\n1\n") << "without CAP_SYS_ADMIN nobody mounts";
    spec = shell("mount -t tmpfs none /tmp && echo mounted");
    spec.cap_add = {"SYS_ADMIN"};
    EXPECT_EQ(output_of(spec), "mounted\n") << "the filter opens with the capability";
}

TEST_F(Isolation, WhatTheKernelShowsIsMaskedOrReadOnly) {
    EXPECT_EQ(output_of("cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware /proc/acpi "
                        "2>/dev/null | grep -v : | wc -w"),
              "0\n0\n");
    std::string refused = output_of(
        "for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity "
        "/sys/kernel/uevent_helper /sys/kernel/mm/ksm/run; do"
        " test -e $f && (echo 1 > $f) 2>&1 | grep -c Read-only; done; true");
    EXPECT_GE(refused.size(), 6u);
    EXPECT_EQ(refused.find('0'), std::string::npos) << refused;
}

TEST_F(Isolation, WhichPathsAreMaskedOrReadOnlyCanBeChosen) {
    // What /etc/passwd and /etc hold, whether /data is read-only, and whether /proc/sys still is.
    ContainerSpec spec = shell(
        "cat /etc/passwd | head -c 4; echo; ls /bin | wc -w; (touch /data/x) 2>&1 | grep -c Read-only; "
        "(echo 1 >/proc/sys/net/ipv4/ip_forward) 2>&1 | grep -c Read-only; true");
    const std::string plain = output_of(spec);
    EXPECT_TRUE(plain.starts_with("root\n") && plain.ends_with("\n0\n1\n")) << "as everybody has it: " << plain;
    spec.masked_paths = {"/etc/../etc//passwd", "/not/there"};
    spec.readonly_paths = {"/data", "/not/there"};
    const std::string changed = "\n" + plain.substr(5, plain.find('\n', 5) - 4) + "1\n0\n";
    EXPECT_EQ(output_of(spec), changed) << "nothing of the default is left";
    spec.privileged = true;
    EXPECT_EQ(output_of(spec), changed) << "also of what is privileged";
    spec.masked_paths = {"/data"};
    spec.readonly_paths = std::vector<std::string>{};
    spec.command = {"sh", "-c", "touch /data/x 2>&1; ls /data | wc -w"};
    EXPECT_EQ(output_of(spec), "touch: /data/x: Read-only file system\n0\n");
}

TEST_F(Isolation, PathsToMaskAreAbsoluteAndLeadOverNoLink) {
    auto refusal = [&](const std::string& masked, const std::string& read_only) {
        ContainerSpec spec = shell("true");
        spec.masked_paths = {masked};
        spec.readonly_paths = {read_only};
        try {
            (void)run(spec);
        } catch (const Error& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    EXPECT_EQ(refusal("proc", "/a"), "invalid masked path: 'proc' must be an absolute path");
    EXPECT_EQ(refusal("", "/a"), "invalid masked path: '' must be an absolute path");
    EXPECT_EQ(refusal("/a", "etc"), "invalid read-only path: 'etc' must be an absolute path");
    EXPECT_EQ(refusal(std::string("/a\0b", 4), "/a"), "invalid masked path: '/a' must be an absolute path");
    EXPECT_EQ(refusal("/a/..", "/a"), "invalid masked path: '/a/..' is all of the container's files");
    EXPECT_EQ(refusal("/bin/sh", "/a"), "mount /bin/sh: too many levels of symbolic links");
}

TEST_F(Isolation, DevicesOfTheHostAreOutOfReach) {
    // Docker's rules let nodes be made; using one that is not on the list is what is refused.
    EXPECT_NE(
        output_of("mknod /tmp/disk b 8 0; cat /tmp/disk 2>&1 >/dev/null; mknod /tmp/kmsg c 1 11; cat /tmp/kmsg 2>&1")
            .find("Operation not permitted"),
        std::string::npos);
    ContainerSpec spec = shell("mknod /tmp/x c 1 3 2>&1");
    spec.cap_drop = {"MKNOD"};
    EXPECT_EQ(output_of(spec), "mknod: /tmp/x: Operation not permitted\n");
    spec = shell("head -c 3 /dev/mine | wc -c; (echo > /dev/mine) 2>&1 | grep -c 'not permitted'");
    spec.devices = {{"/dev/zero", "/dev/mine", "r"}};
    EXPECT_EQ(output_of(spec).substr(0, 2), "3\n");
}

TEST_F(Isolation, NamespacesAreTheContainersOwnUnlessSharedOnPurpose) {
    std::string other = run(shell("sleep 1000"));
    std::string text = output_of(
        "for n in pid uts ipc net mnt cgroup; do readlink /proc/self/ns/$n; done; ps | grep -c 'sleep 1000$'");
    for (const char* name : {"pid", "uts", "ipc", "net", "mnt"})
        EXPECT_EQ(text.find(host_namespace(name)), std::string::npos) << name;
    EXPECT_TRUE(text.ends_with("\n0\n")) << "another container's process can be seen: " << text;
    ContainerSpec spec = shell("readlink /proc/self/ns/pid; ps | grep -c 'sleep 1000$'");
    spec.pid_mode = "container:" + other;
    EXPECT_TRUE(output_of(spec).ends_with("\n1\n"));
    spec = shell("for n in pid ipc net; do readlink /proc/self/ns/$n; done");
    spec.pid_mode = spec.ipc_mode = spec.network_mode = "host";
    EXPECT_EQ(output_of(spec),
              host_namespace("pid") + "\n" + host_namespace("ipc") + "\n" + host_namespace("net") + "\n");
    spec = shell("readlink /proc/self/ns/net");
    spec.network_mode = "container:" + other;
    std::string joined = output_of(spec);
    EXPECT_EQ(exec(other, "readlink /proc/self/ns/net").output, joined);
}

TEST_F(Isolation, AContainerHasItsOwnNameAndNetworkFiles) {
    make_network("front");
    ContainerSpec spec = shell("hostname; cat /etc/hostname; cat /etc/hosts; cat /etc/resolv.conf; uname -n");
    spec.hostname = "web";
    spec.domainname = "example.org";
    spec.networks = {on("front")};
    spec.extra_hosts = {"db:10.1.2.3", "up:host-gateway"};
    spec.dns_search = {"corp.example"};
    std::string text = output_of(spec);
    EXPECT_TRUE(text.starts_with("web\nweb\n127.0.0.1\tlocalhost\n")) << text;
    EXPECT_NE(text.find("10.1.2.3\tdb\n"), std::string::npos) << text;
    EXPECT_NE(text.find("172.28.0.1\tup\n"), std::string::npos) << text;
    EXPECT_NE(text.find("172.28.0.2\tweb.example.org web\n"), std::string::npos) << text;
    EXPECT_NE(text.find("nameserver 172.28.0.1\nsearch corp.example\n"), std::string::npos) << text;
    utsname names{};
    ASSERT_EQ(::uname(&names), 0);
    EXPECT_STRNE(names.nodename, "web") << "the host was renamed";
    std::string id = run(shell("hostname"));
    (void)containers().wait(id);
    EXPECT_EQ(log_of(id), id.substr(0, 12) + "\n");
}

TEST_F(Isolation, WhatAContainerWritesIntoItsNetworkFilesStaysInThem) {
    std::string id =
        run(shell("echo 10.9.9.9 mine >> /etc/hosts; cat /etc/hosts; rm /etc/hosts 2>/dev/null; ln -sf /etc/passwd "
                  "/etc/resolv.conf 2>/dev/null; true"));
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_NE(log_of(id).find("10.9.9.9 mine"), std::string::npos);
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(read_file_at(AT_FDCWD, "/etc/hosts").find("10.9.9.9"), std::string::npos);
}

TEST_F(Isolation, TooMuchMemoryEndsItAndIsTold) {
    ContainerSpec spec = shell("x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo survived");
    spec.resources.memory = spec.resources.memory_swap = 16 << 20;
    uint64_t from = engine->events().next();
    std::string id = run(spec);
    EXPECT_NE(containers().wait(id), 0);
    EXPECT_TRUE(containers().inspect(id).oom_killed);
    bool told = false;
    (void)engine->events().read(from, [&](const Event& e) { told = told || e.action == "oom"; }, {});
    EXPECT_TRUE(told);
    std::string fine = run(shell("exit 1"));
    (void)containers().wait(fine);
    EXPECT_FALSE(containers().inspect(fine).oom_killed);
}

TEST_F(Isolation, LimitsStandInTheCgroupAndHold) {
    ContainerSpec spec = shell("(i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done); exec sleep 1000");
    spec.resources.memory = 64 << 20;
    spec.resources.memory_reservation = 32 << 20;
    spec.resources.nano_cpus = 500000000;
    spec.resources.cpu_shares = 512;
    spec.resources.pids_limit = 12;
    std::string id = run(spec);
    EXPECT_TRUE(wait_for_log(id, "can't fork"));
    EXPECT_EQ(cgroup(id, "memory/memory.limit_in_bytes", "memory.max"), "67108864\n");
    EXPECT_EQ(cgroup(id, "memory/memory.soft_limit_in_bytes", "memory.low"), "33554432\n");
    EXPECT_TRUE(cgroup(id, "cpu/cpu.cfs_quota_us", "cpu.max").starts_with("50000"));
    EXPECT_EQ(cgroup(id, "pids/pids.max", "pids.max"), "12\n");
    EXPECT_LE(std::stoi(cgroup(id, "pids/pids.current", "pids.current")), 12);
}

TEST_F(Isolation, UlimitsSysctlsAndSharedMemoryAreAsAskedFor) {
    ContainerSpec spec = shell(
        "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward; grep ' /dev/shm ' /proc/mounts | grep -o "
        "'size=[0-9]*k'; cat /proc/self/oom_score_adj");
    spec.ulimits = {{"nofile", 123, 456}};
    spec.sysctls = {{"net.ipv4.ip_forward", "1"}};
    spec.shm_size = 1 << 20;
    spec.oom_score_adj = 500;
    EXPECT_EQ(output_of(spec), "123\n456\n1\nsize=1024k\n500\n");
}

TEST_F(Isolation, AnInitReapsWhatTheProgramLeavesBehind) {
    ContainerSpec spec =
        shell("ps | grep -c docker-init; (sleep 0.01 &); sleep 0.1; ps | grep -c '\\[sleep\\]'; exit 4");
    spec.init = true;
    std::string id = run(spec);
    EXPECT_EQ(containers().wait(id), 4);
    EXPECT_TRUE(log_of(id).ends_with("\n0\n")) << log_of(id);
}

TEST_F(Isolation, APrivilegedContainerSeesTheKernel) {
    ContainerSpec spec = shell(
        "grep Seccomp: /proc/self/status; mount -t tmpfs none /tmp && echo mounted; touch /sys/kernel/x 2>&1 | grep -c "
        "Read-only");
    spec.privileged = true;
    EXPECT_EQ(output_of(spec), "Seccomp:\t0\nmounted\n0\n");
}
