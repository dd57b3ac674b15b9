#include "tests/runtime/engine_fixture.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <nlohmann/json.hpp>

using namespace kedge;
using namespace kedge::runtime;

namespace {

/// Namespaces that containers share with the host or each other, and what they take over from others.
struct Sharing : test::EngineFixture {
    std::string output_of(const ContainerSpec& spec) {
        std::string output;
        (void)run_to_end(spec, &output);
        return output;
    }
    static std::string own_namespace(const std::string& name) {
        char text[64] = {};
        (void)!::readlink(("/proc/self/ns/" + name).c_str(), text, sizeof text - 1);
        return text;
    }
    std::string refused(const ContainerSpec& spec) {
        return refusal([&] { (void)containers().create(spec); });
    }
};

ContainerSpec sleeper(const std::string& name) {
    ContainerSpec spec = test::EngineFixture::shell("echo up; sleep 1000", name);
    spec.stop_timeout = 0;
    return spec;
}

}  // namespace

TEST_F(Sharing, TheHostsNameIsSharedIfItIsAskedFor) {
    utsname names{};
    ASSERT_EQ(::uname(&names), 0);
    ContainerSpec spec = shell("readlink /proc/self/ns/uts; hostname; cat /etc/hostname; echo $HOSTNAME");
    spec.uts_mode = "host";
    const std::string name = names.nodename;
    EXPECT_EQ(output_of(spec), own_namespace("uts") + "\n" + name + "\n" + name + "\n" + name + "\n");
    spec.hostname = "other";
    EXPECT_EQ(refused(spec), "conflicting options: hostname and the UTS mode");
    spec = shell("true");
    spec.uts_mode = "container:x";
    EXPECT_EQ(refused(spec), "invalid UTS mode: container:x");
}

TEST_F(Sharing, TheHostsCgroupNamespaceIsSharedIfItIsAskedFor) {
    ContainerSpec spec = shell("readlink /proc/self/ns/cgroup; grep -c " + instance + " /proc/self/cgroup");
    EXPECT_EQ(output_of(spec).find(own_namespace("cgroup")), std::string::npos);
    spec.cgroup_namespace = "host";
    const std::string shared = output_of(spec);
    EXPECT_EQ(shared.find(own_namespace("cgroup") + "\n"), 0u) << shared;
    EXPECT_EQ(shared.find("\n0\n"), std::string::npos) << "it sees where it is: " << shared;
    spec.cgroup_namespace = "private";
    EXPECT_EQ(refused(spec), "invalid cgroup namespace mode: private");
}

TEST_F(Sharing, AnotherParentOfItsControlGroupIsUsedEverywhere) {
    ContainerSpec spec = sleeper("below");
    spec.cgroup_parent = "/" + instance + "/deeper";
    const std::string id = run(spec);
    const std::string groups =
        read_file_at(AT_FDCWD, "/proc/" + std::to_string(containers().inspect(id).pid) + "/cgroup");
    EXPECT_NE(groups.find("/" + instance + "/deeper/" + id), std::string::npos) << groups;
    EXPECT_EQ(exec(id, "true").exit_code, 0);
    close_engine();
    open_engine();
    EXPECT_EQ(exec(id, "true").exit_code, 0) << "also by the next agent";
    containers().stop(id);
    containers().remove(id);
    test::Leftovers::remove_groups(instance + "/deeper");
    for (const char* bad : {"..", "a/../../b", "/", "a b", "a\nb"}) {
        spec.cgroup_parent = bad;
        EXPECT_NE(refused(spec).find("invalid cgroup parent"), std::string::npos) << bad;
    }
}

TEST_F(Sharing, SharedMemoryIsReachedOnlyFromWhereItIsShared) {
    ContainerSpec donor = sleeper("donor");
    donor.ipc_mode = "shareable";
    donor.shm_size = 1 << 20;
    const std::string id = run(donor);
    ASSERT_TRUE(wait_for_log(id, "up"));
    ASSERT_EQ(exec(id, "echo shared > /dev/shm/note").exit_code, 0);
    ContainerSpec guest = shell(
        "cat /dev/shm/note; readlink /proc/self/ns/ipc; echo back > /dev/shm/answer; cut -d' ' -f3 "
        "/proc/mounts | grep -c mqueue; ls /proc/self/fd | wc -l");
    guest.ipc_mode = "container:donor";
    const std::string seen = output_of(guest);
    const std::string pid = std::to_string(containers().inspect(id).pid);
    char ipc[64] = {};
    ASSERT_GT(::readlink(("/proc/" + pid + "/ns/ipc").c_str(), ipc, sizeof ipc - 1), 0);
    EXPECT_EQ(seen, std::string("shared\n") + ipc + "\n1\n4\n") << "and no descriptor of the start is left";
    EXPECT_EQ(exec(id, "cat /dev/shm/answer").output, "back\n");

    ContainerSpec closed = sleeper("closed");
    (void)run(closed);
    guest.ipc_mode = "container:closed";
    const std::string late = containers().create(guest);
    EXPECT_NE(refusal([&] { containers().start(late); }).find("non-shareable IPC"), std::string::npos);
    guest.ipc_mode = "container:nosuch";
    EXPECT_EQ(refused(guest), "No such container: nosuch");

    // What the donor has put in its place is not followed.
    ContainerSpec hostile = sleeper("hostile");
    hostile.ipc_mode = "shareable";
    hostile.cap_add = {"SYS_ADMIN"};
    hostile.security_opt = {"seccomp=unconfined"};
    const std::string bad = run(hostile);
    ASSERT_TRUE(wait_for_log(bad, "up"));
    ASSERT_EQ(exec(bad, "umount /dev/shm && rm -r /dev/shm && ln -s /tmp /dev/shm").exit_code, 0);
    guest.ipc_mode = "container:hostile";
    const std::string tricked = containers().create(guest);
    EXPECT_NE(refusal([&] { containers().start(tricked); }).find("has no /dev/shm any more"), std::string::npos);
}

TEST_F(Sharing, WithoutIpcThereIsNoSharedMemory) {
    ContainerSpec spec = shell("test -e /dev/shm || echo none; readlink /proc/self/ns/ipc");
    spec.ipc_mode = "none";
    const std::string seen = output_of(spec);
    EXPECT_EQ(seen.find("none\n"), 0u) << seen;
    EXPECT_EQ(seen.find(own_namespace("ipc")), std::string::npos);
    spec.ipc_mode = "private";
    EXPECT_EQ(refused(spec), "invalid IPC mode: private");
}

TEST_F(Sharing, VolumesAndBindsOfOthersAreTakenOver) {
    make_folders(AT_FDCWD, folder + "/host", 0755);
    ContainerSpec first = shell("echo one > /data/note; echo two > /anon/note; echo three > /bound/note", "first");
    first.mounts = {volume("data", "/data"), volume("", "/anon"), bind(folder + "/host", "/bound")};
    (void)run_to_end(first);
    ContainerSpec second =
        shell("cat /data/note /anon/note /bound/note; touch /data/x /bound/x 2>/dev/null || echo ro");
    second.volumes_from = {"first"};
    EXPECT_EQ(output_of(second), "one\ntwo\nthree\n");
    second.volumes_from = {"first:ro"};
    EXPECT_EQ(output_of(second), "one\ntwo\nthree\nro\n");
    second = shell("cat /data/note 2>&1; cat /anon/note", "third");
    second.volumes_from = {"first"};
    second.mounts = {volume("other", "/data/")};
    (void)run_to_end(second);
    EXPECT_EQ(log_of("third"), "cat: can't open '/data/note': No such file or directory\ntwo\n")
        << "its own come first";
    second = shell("cat /data/note");
    second.volumes_from = {"first", "third"};
    EXPECT_EQ(output_of(second).find("one"), std::string::npos) << "and the last one's";

    containers().remove("first", {.volumes = true});
    EXPECT_EQ(engine->volumes().list().size(), 3u) << "what others use stays: data, other and the one without a name";
    ContainerSpec last = shell("true", "last");
    last.volumes_from = {"third"};
    (void)run_to_end(last);
    for (const auto& info : containers().list()) {
        if (info.name != "last") containers().remove(info.id, {.volumes = true});
    }
    EXPECT_EQ(engine->volumes().list().size(), 3u);
    containers().remove("last", {.volumes = true});
    EXPECT_EQ(engine->volumes().list().size(), 2u) << "the one without a name goes with the last who has it";
    (void)containers().create(shell("true", "third"));
    for (const auto& [from, words] :
         std::map<std::string, std::string>{{"", "invalid volumes-from specification: ''"},
                                            {":ro", "invalid volumes-from specification: ':ro'"},
                                            {"third:maybe", "invalid mode for volumes-from: maybe"},
                                            {"nosuch", "No such container: nosuch"}}) {
        second.volumes_from = {from};
        EXPECT_EQ(refused(second), words);
    }
}

TEST_F(Sharing, APartOfAVolumeIsMountedAloneAndNoLinkLeadsOut) {
    ContainerSpec writer = shell("mkdir -p /v/a/b; echo deep > /v/a/b/note; ln -s / /v/out; ln -s a /v/in");
    writer.mounts = {volume("data", "/v")};
    ASSERT_EQ(run_to_end(writer), 0);
    ContainerSpec reader = shell("cat /part/note; ls /part");
    reader.mounts = {volume("data", "/part")};
    reader.mounts[0].subpath = "a/b";
    EXPECT_EQ(output_of(reader), "deep\nnote\n");
    for (const char* path : {"out/etc", "in/b", "nosuch"}) {
        reader.mounts[0].subpath = path;
        const std::string id = containers().create(reader);
        EXPECT_NE(refusal([&] { containers().start(id); }), "") << path;
    }
    for (const char* path : {"/a", "..", "a/../../b"}) {
        reader.mounts[0].subpath = path;
        EXPECT_NE(refused(reader).find("subpath must be a relative path within the volume"), std::string::npos) << path;
    }
    reader.mounts[0] = volume("", "/part");
    reader.mounts[0].subpath = "a";
    EXPECT_EQ(refused(reader), "must not set Subpath when using anonymous volumes");
}

TEST_F(Sharing, TmpfsMountsTakeTheOptionsOfMount) {
    Mount mount;
    mount.type = Mount::Type::tmpfs;
    mount.target = "/t";
    ContainerSpec spec = shell("grep ' /t ' /proc/mounts | cut -d' ' -f4; stat -c '%u:%g %a' /t");
    spec.mounts = {mount};
    std::string plain = output_of(spec);
    for (const char* flag : {"nosuid", "nodev", "noexec"}) EXPECT_NE(plain.find(flag), std::string::npos) << plain;
    spec.mounts[0].tmpfs_options = {"exec", "uid=5", "gid=6", "nr_inodes=100"};
    plain = output_of(spec);
    EXPECT_EQ(plain.find("noexec"), std::string::npos) << plain;
    EXPECT_NE(plain.find("nr_inodes=100"), std::string::npos) << plain;
    EXPECT_NE(plain.find("\n5:6 1777\n"), std::string::npos) << plain;
    for (const char* bad : {"uid=x", "uid=", "uid", "huge=always", "source=/", "size", ""}) {
        spec.mounts[0].tmpfs_options = {bad};
        EXPECT_NE(refused(spec).find("invalid tmpfs option"), std::string::npos) << bad;
    }
}

TEST_F(Sharing, ReadOnlyBindsReachAsFarAsIsAskedFor) {
    // /dev always has mounts below it.
    const char* script =
        "touch /d/x 2>/dev/null && echo top; touch /d/shm/$HOSTNAME 2>/dev/null && echo below; "
        "rm -f /d/shm/$HOSTNAME; test -e /d/pts/ptmx && echo tree";
    if (read_file_at(AT_FDCWD, "/proc/self/mountinfo").find(" /dev/pts ") == std::string::npos)
        GTEST_SKIP() << "nothing is mounted below /dev here";
    ContainerSpec spec = shell(script);
    spec.mounts = {bind("/dev", "/d", true)};
    EXPECT_EQ(output_of(spec), "tree\n");
    spec.mounts[0].non_recursive = true;
    EXPECT_EQ(output_of(spec), "");
    spec.mounts[0].non_recursive = false;
    spec.mounts[0].read_only_top = true;
    const bool has_shm = read_file_at(AT_FDCWD, "/proc/self/mountinfo").find(" /dev/shm ") != std::string::npos;
    EXPECT_EQ(output_of(spec), has_shm ? "below\ntree\n" : "tree\n");
    spec.mounts[0].read_only = false;
    EXPECT_NE(refused(spec).find("ReadOnlyNonRecursive needs ReadOnly"), std::string::npos);
}

TEST_F(Sharing, FurtherDevicesMayBeOpenedByRule) {
    // Nobody has this device: who may open it hears that there is none.
    ContainerSpec spec = shell("mknod /tmp/x c 240 99; cat /tmp/x 2>&1");
    EXPECT_EQ(output_of(spec), "cat: can't open '/tmp/x': Operation not permitted\n");
    spec.device_rules = {"c 240:* r"};
    EXPECT_EQ(output_of(spec), "cat: can't open '/tmp/x': No such device or address\n");
    for (const char* bad : {"", "c", "c 1:3", "d 1:3 r", "c 1:3 x", "c 1:3 rwmr", "c 1 rwm", "c -1:3 r", "c 1:3  r",
                            "c *:99999999999 r", "c 1:3:4 r"}) {
        spec.device_rules = {bad};
        EXPECT_EQ(refused(spec), "invalid device cgroup rule format: '" + std::string(bad) + "'");
    }
}

TEST_F(Sharing, AnnotationsAreInTheBundle) {
    ContainerSpec spec = sleeper("noted");
    spec.annotations = {{"org.example.note", "yes"}, {"both", "annotation"}};
    spec.labels = {{"both", "label"}};
    const std::string id = run(spec);
    const auto config =
        nlohmann::json::parse(read_file_at(AT_FDCWD, options.run + "/containers/" + id + "/config.json"));
    EXPECT_EQ(config["annotations"]["org.example.note"], "yes");
    EXPECT_EQ(config["annotations"]["both"], "annotation");
}

TEST_F(Sharing, ResolvConfHasTheOptionsThatAreAskedFor) {
    (void)make_network("front");
    ContainerSpec spec = shell("grep options /etc/resolv.conf");
    spec.networks = {on("front")};
    EXPECT_EQ(output_of(spec), "options ndots:0\n");
    spec.dns_options = {"timeout:1", "attempts:2"};
    EXPECT_EQ(output_of(spec), "options timeout:1 attempts:2 ndots:0\n");
    spec.dns_options = {"ndots:3"};
    EXPECT_EQ(output_of(spec), "options ndots:3\n");
    spec.dns_options = {"a\nnameserver 6.6.6.6"};
    EXPECT_NE(refused(spec).find("invalid word for resolv.conf"), std::string::npos);
    spec.dns_options.clear();
    spec.dns = {"127.0.0.1"};
    EXPECT_NE(refused(spec).find("loopback"), std::string::npos);
    spec.networks = {on("bridge")};
    const std::string id = containers().create(spec);
    EXPECT_NE(refusal([&] { containers().connect_network(id, on("front")); }).find("loopback"), std::string::npos);
}
