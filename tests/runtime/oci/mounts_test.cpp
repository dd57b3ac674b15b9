#include "tests/runtime/oci/oci_fixture.h"

#include <sys/mount.h>
#include <sys/sysmacros.h>

namespace kedge::oci {
namespace {

Json bind_mount(const std::string& source, const std::string& destination,
                std::vector<std::string> options = {"rbind"}) {
    return {{"source", source}, {"destination", destination}, {"type", "bind"}, {"options", std::move(options)}};
}

/// A mount of the host's for the time of a test.
class HostMount {
public:
    HostMount(std::string path, unsigned long propagation) : path_(std::move(path)) {
        make_folders(AT_FDCWD, path_);
        if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, nullptr) != 0) throw_errno(path_);
        if (::mount(nullptr, path_.c_str(), nullptr, propagation, nullptr) != 0) throw_errno(path_);
    }
    ~HostMount() {
        (void)::umount2((path_ + "/sub").c_str(), MNT_DETACH);
        (void)::umount2(path_.c_str(), MNT_DETACH);
    }
    HostMount(const HostMount&) = delete;
    HostMount& operator=(const HostMount&) = delete;

private:
    std::string path_;
};

TEST_F(OciTest, MountsAreMadeInTheirOrderWithTheirOptions) {
    make_folders(AT_FDCWD, folder_ + "/source/below");
    std::ofstream(folder_ + "/source/file") << "content\n";
    make_folders(AT_FDCWD, bundle() + "/beside");
    std::ofstream(bundle() + "/beside/file") << "relative\n";
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "/data", {"rbind", "ro", "nosuid", "noexec"}));
    config_["mounts"].push_back(bind_mount("beside", "/not/there/yet"));
    config_["mounts"].push_back(bind_mount(folder_ + "/source/file", "/tmp/one-file", {"bind"}));
    config_["mounts"].push_back({{"destination", "/tmp/memory"},
                                 {"type", "tmpfs"},
                                 {"source", "named"},
                                 {"options", {"size=64k", "mode=711", "nodev", "strictatime"}}});
    EXPECT_EQ(print("cat /data/file /not/there/yet/file /tmp/one-file; touch /data/x 2>&1; stat -c %a /tmp/memory; "
                    "grep -E ' /(data|tmp/memory) ' /proc/mounts | cut -d ' ' -f 1,2,4 | sed 's/^[^ ]*disk[^ ]*/D/'"
                    " | grep -c -E '(nosuid.*noexec)|(named .*size=64k)'"),
              "content\nrelative\ncontent\ntouch: /data/x: Read-only file system\n711\n2\n");
}

TEST_F(OciTest, RecursiveOptionsReachWhatLiesBelow) {
    HostMount host(folder_ + "/host", MS_PRIVATE);
    make_folders(AT_FDCWD, folder_ + "/host/sub");
    ASSERT_EQ(::mount("tmpfs", (folder_ + "/host/sub").c_str(), "tmpfs", 0, nullptr), 0);
    config_["mounts"].push_back(bind_mount(folder_ + "/host", "/top", {"rbind", "ro"}));
    config_["mounts"].push_back(bind_mount(folder_ + "/host", "/all", {"rbind", "rro"}));
    EXPECT_EQ(print("touch /top/x 2>/dev/null || echo ro; touch /top/sub/x && echo rw; "
                    "touch /all/x 2>/dev/null || echo ro; touch /all/sub/x 2>/dev/null || echo ro"),
              "ro\nrw\nro\nro\n");
}

TEST_F(OciTest, WhatTheHostMountsShowsWhereThatWasAskedFor) {
    HostMount host(folder_ + "/host", MS_SHARED);
    make_folders(AT_FDCWD, folder_ + "/host/sub");
    config_["mounts"].push_back(bind_mount(folder_ + "/host", "/slave", {"rbind", "rslave"}));
    config_["mounts"].push_back(bind_mount(folder_ + "/host", "/shared", {"rbind", "rshared"}));
    config_["mounts"].push_back(bind_mount(folder_ + "/host", "/private", {"rbind", "rprivate"}));
    config_["mounts"].push_back(bind_mount(folder_ + "/host", "/usual", {"rbind"}));
    create();
    start();
    ASSERT_EQ(::mount("tmpfs", (folder_ + "/host/sub").c_str(), "tmpfs", 0, nullptr), 0);
    const std::string count = "for name in slave shared private usual; do grep -c \" /$name/sub \" /proc/mounts; done";
    EXPECT_EQ(oci({"exec", "c", "sh", "-c", count}).out, "1\n1\n0\n0\n");
    ASSERT_EQ(::umount2((folder_ + "/host/sub").c_str(), MNT_DETACH), 0);
    EXPECT_EQ(oci({"delete", "--force", "c"}).code, 0);
}

TEST_F(OciTest, TheRootHasItsPropagation) {
    config_["linux"]["rootfsPropagation"] = "shared";
    EXPECT_EQ(print("awk '$5 == \"/\"' /proc/self/mountinfo | grep -c shared:"), "1\n");
    config_["linux"].erase("rootfsPropagation");
    EXPECT_EQ(print("awk '$5 == \"/\"' /proc/self/mountinfo | grep -c shared:; true"), "0\n");
}

TEST_F(OciTest, MasksAndReadOnlyPathsAreInForce) {
    std::ofstream(root_folder() + "/data/secret") << "secret\n";
    make_folders(AT_FDCWD, root_folder() + "/data/hidden/deep");
    make_folders(AT_FDCWD, root_folder() + "/data/fixed");
    config_["linux"]["maskedPaths"] = {"/data/secret", "/data/hidden", "/data/none", "/tmp/none/x", "/proc/kcore"};
    config_["linux"]["readonlyPaths"] = {"/data/fixed", "/data/none", "/proc/sys"};
    EXPECT_EQ(print("cat /data/secret; ls /data/hidden | wc -l; touch /data/fixed/x 2>&1; touch /data/x && echo other; "
                    "echo 1 2>/dev/null >/proc/sys/net/ipv4/ip_forward || echo fixed"),
              "0\ntouch: /data/fixed/x: Read-only file system\nother\nfixed\n");
}

TEST_F(OciTest, AReadOnlyRootIsReadOnly) {
    config_["root"]["readonly"] = true;
    EXPECT_EQ(print("touch /x 2>&1; touch /dev/shm/x && echo shm"), "touch: /x: Read-only file system\nshm\n");
}

TEST_F(OciTest, DevicesAreThere) {
    config_["linux"]["devices"] = {
        {{"path", "/dev/mine"}, {"type", "c"}, {"major", 1}, {"minor", 5}, {"fileMode", 0666}, {"uid", 3}, {"gid", 4}},
        {{"path", "/data/pipe"}, {"type", "p"}, {"fileMode", 0600}}};
    EXPECT_EQ(print("stat -c '%F %a %u %g %t:%T' /dev/mine; stat -c '%F %a' /data/pipe; head -c 1 /dev/mine | wc -c; "
                    "for d in null zero full random urandom tty; do stat -c %F /dev/$d; done | sort | uniq -c | "
                    "tr -s ' '; readlink /dev/fd; readlink /dev/ptmx"),
              "character special file 666 3 4 1:5\nfifo 600\n1\n 6 character special file\n/proc/self/fd\npts/ptmx\n");
    std::ofstream(root_folder() + "/data/plain") << "mine\n";
    config_["linux"]["devices"] = {{{"path", "/data/plain"}, {"type", "c"}, {"major", 1}, {"minor", 3}}};
    EXPECT_NE(refusal().find("/data/plain"), std::string::npos) << "a file that is no device is not replaced";
    EXPECT_EQ(slurp(root_folder() + "/data/plain"), "mine\n");
}

TEST_F(OciTest, OnlyAllowedDevicesCanBeOpened) {
    const std::string tries =
        "mknod /data/k c 1 11 && (head -c 0 /data/k && echo opened) 2>/dev/null || echo refused; "
        "head -c 1 /dev/zero | wc -c";
    config_["process"]["capabilities"]["bounding"] = {"CAP_MKNOD", "CAP_SYSLOG"};
    config_["process"]["capabilities"]["permitted"] = {"CAP_MKNOD", "CAP_SYSLOG"};
    config_["process"]["capabilities"]["effective"] = {"CAP_MKNOD", "CAP_SYSLOG"};
    EXPECT_EQ(print(tries), "refused\n1\n");
    std::filesystem::remove(root_folder() + "/data/k");
    config_["linux"]["resources"]["devices"] = {
        {{"allow", false}, {"access", "rwm"}},
        {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 11}, {"access", "r"}}};
    EXPECT_EQ(print(tries), "opened\n1\n");
    std::filesystem::remove(root_folder() + "/data/k");
    config_["linux"]["resources"]["devices"] = {
        {{"allow", true}, {"access", "rwm"}},
        {{"allow", false}, {"type", "c"}, {"major", 1}, {"minor", 11}, {"access", "rw"}}};
    EXPECT_EQ(print(tries), "refused\n1\n");
}

TEST_F(OciTest, ATmpfsMayBeginWithWhatItHides) {
    make_folders(AT_FDCWD, root_folder() + "/data/folder/deep");
    std::ofstream(root_folder() + "/data/folder/file") << "kept\n";
    std::filesystem::create_symlink("folder/file", root_folder() + "/data/link");
    ASSERT_EQ(::chown((root_folder() + "/data/folder/file").c_str(), 12, 34), 0);
    ASSERT_EQ(::chmod((root_folder() + "/data").c_str(), 01777), 0);
    config_["mounts"].push_back(
        {{"destination", "/data"}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", {"tmpcopyup", "nosuid"}}});
    EXPECT_EQ(
        print("cat /data/link; stat -c '%u %g' /data/folder/file; stat -c %a /data; touch /data/new; ls /data/folder"),
        "kept\n12 34\n1777\ndeep\nfile\n");
    EXPECT_FALSE(std::filesystem::exists(root_folder() + "/data/new"));
}

TEST_F(OciTest, TheCgroupTreeIsTheContainersOwn) {
    EXPECT_EQ(print("f=$(find /sys/fs/cgroup -name cgroup.procs | sort | head -1); grep -c '^1$' $f; "
                    "mkdir ${f%/*}/x 2>/dev/null || echo fixed; grep -c '/' /proc/self/cgroup | grep -q . && "
                    "grep -v ':/$' /proc/self/cgroup; true"),
              "1\nfixed\n");
}

}  // namespace
}  // namespace kedge::oci
