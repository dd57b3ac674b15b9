#include "runtime/containers/cgroups.h"
#include "tests/runtime/containers/launch_fixture.h"

#include <sys/sysmacros.h>

#include <fstream>

namespace kedge::runtime {

TEST(CgroupHierarchies, AreReadFromMountinfoOfEveryMode) {
    auto v2 = parse_hierarchies("30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
    ASSERT_EQ(v2.size(), 1u);
    EXPECT_TRUE(v2[0].v2);
    EXPECT_EQ(v2[0].mount_point, "/sys/fs/cgroup");
    auto hybrid = parse_hierarchies(
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - "
        "cgroup cgroup rw,cpu,cpuacct\n"
        "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n41 31 0:38 / "
        "/sys/fs/cgroup/my\\040unified rw - cgroup2 cgroup2 rw\n"
        "50 1 0:29 /sub /elsewhere rw - cgroup cgroup rw,cpu,cpuacct\n");
    ASSERT_EQ(hybrid.size(), 3u);
    EXPECT_TRUE(hybrid[0].has("cpu") && hybrid[0].has("cpuacct") && !hybrid[0].has("rw"));
    EXPECT_TRUE(hybrid[1].has("name=systemd"));
    EXPECT_EQ(hybrid[2].mount_point, "/sys/fs/cgroup/my unified");
    EXPECT_TRUE(parse_hierarchies("").empty());
    EXPECT_TRUE(parse_hierarchies("garbage\n1 2 3 - cgroup\n - - -\n").empty());
}

/// The program of cgroup v2 is tried on whatever v2 hierarchy there is, also where devices belong to v1.
TEST(CgroupDevices, AProgramLetsThroughWhatTheRulesAllow) {
    Cgroups all;
    auto found =
        std::find_if(all.hierarchies().begin(), all.hierarchies().end(), [](const CgroupHierarchy& h) { return h.v2; });
    if (found == all.hierarchies().end()) GTEST_SKIP() << "no cgroup v2 on this machine";
    std::string folder = found->mount_point + "/kt" + std::to_string(::getpid()) + "-devices";
    ASSERT_EQ(::mkdir(folder.c_str(), 0755), 0);
    attach_device_rules(folder, {{'c', 1, 3, "rwm"}, {'c', 1, 5, "r"}, {'c', -1, -1, "m"}, {'b', 7, -1, "rw"}});
    pid_t child = ::fork();
    if (child == 0) {
        std::ofstream(folder + "/cgroup.procs") << "0" << std::flush;
        auto opens = [](const char* path, int flags) { return ::open(path, flags) >= 0; };
        int wrong = !opens("/dev/null", O_RDWR) + 2 * !opens("/dev/zero", O_RDONLY) + 4 * opens("/dev/zero", O_WRONLY) +
                    8 * opens("/dev/urandom", O_RDONLY);
        ::_exit(wrong);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_NO_THROW(attach_device_rules(folder, {{'c', 1, 3, "r"}, {'a', -1, -1, "rwm"}, {'b', 7, -1, "rw"}}));
    EXPECT_EQ(::rmdir(folder.c_str()), 0);
    EXPECT_THROW(attach_device_rules(folder, {}), Error);
}

TEST(Cgroups, RemovingAGroupEndsWhatStillRunsInIt) {
    Cgroups all;
    std::string path = "kt" + std::to_string(::getpid()) + "-left/over";
    std::vector<std::string> warnings;
    all.make(path, {}, {{'a', -1, -1, "rwm"}}, warnings);
    pid_t child = ::fork();
    if (child == 0) {
        for (const std::string& file : all.files(path)) std::ofstream(file) << "0" << std::flush;
        if (!all.v2_folder(path).empty()) std::ofstream(all.v2_folder(path) + "/cgroup.procs") << "0" << std::flush;
        while (true) ::pause();
    }
    Fd pidfd(static_cast<int>(::syscall(434, child, 0)));  // pidfd_open
    // It may not have joined yet: the group is removed once it has been seen in there, or was killed for being there.
    std::string seen = all.files(path).empty() ? all.v2_folder(path) + "/cgroup.procs" : all.files(path).back();
    for (int i = 0; i < 500 && slurp(seen).empty(); i++) (void)wait_readable(pidfd.get(), 5);
    if (!all.v2_folder(path).empty())
        for (int i = 0; i < 500 && slurp(all.v2_folder(path) + "/cgroup.procs").empty(); i++)
            (void)wait_readable(pidfd.get(), 5);
    all.remove(path);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    all.remove(path);  // twice is fine
    all.remove_parent(path.substr(0, path.find('/')));
}

}  // namespace kedge::runtime
