#include "tests/runtime/oci/oci_fixture.h"

namespace kedge::oci {
namespace {

class UserNamespaceTest : public OciTest {
protected:
    void SetUp() override {
        OciTest::SetUp();
        config_["linux"]["namespaces"].push_back({{"type", "user"}});
        for (const char* ids : {"uidMappings", "gidMappings"})
            config_["linux"][ids] = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
        test::run({"/bin/chown", "-R", "100000:100000", root_folder()});
    }
};

TEST_F(UserNamespaceTest, RootInsideIsNobodyOutside) {
    config_["linux"]["devices"] = {{{"path", "/dev/kmsg"}, {"type", "c"}, {"major", 1}, {"minor", 11}}};
    EXPECT_EQ(
        print(
            "id -u; cat /proc/self/uid_map | tr -s ' '; touch /data/made; stat -c %u /data/made; "
            "head -c 1 /dev/zero | wc -c; stat -c %t:%T /dev/kmsg; mount | grep -c -E ' on /(proc|sys|dev|dev/pts) '"),
        "0\n 0 100000 65536\n0\n1\n1:b\n4\n");
    struct stat info {};
    ASSERT_EQ(::stat((root_folder() + "/data/made").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 100000u);
}

TEST_F(UserNamespaceTest, FurtherProcessesJoinIt) {
    config_["process"]["oomScoreAdj"] = 55;
    create();
    const int pid = state()["pid"];
    EXPECT_NE(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/user"),
              std::filesystem::read_symlink("/proc/self/ns/user"));
    start();
    EXPECT_EQ(oci({"exec", "c", "sh", "-c", "id -u; tr -s ' ' </proc/self/uid_map; cat /proc/1/oom_score_adj"}).out,
              "0\n 0 100000 65536\n55\n");
    EXPECT_EQ(oci({"exec", "--user", "1000:1000", "c", "id", "-u"}).out, "1000\n");
}

TEST_F(UserNamespaceTest, SourcesAreOpenedBeforeIt) {
    make_folders(AT_FDCWD, folder_ + "/closed/source");
    std::ofstream(folder_ + "/closed/source/file") << "content\n";
    ASSERT_EQ(::chmod((folder_ + "/closed").c_str(), 0700), 0);
    config_["mounts"].push_back({{"source", folder_ + "/closed/source"},
                                 {"destination", "/data"},
                                 {"type", "bind"},
                                 {"options", {"rbind", "ro"}}});
    EXPECT_EQ(print("cat /data/file"), "content\n");
}

TEST_F(OciTest, AMountMayShowOtherOwners) {
    make_folders(AT_FDCWD, folder_ + "/source");
    std::ofstream(folder_ + "/source/file") << "content\n";
    ASSERT_EQ(::chown((folder_ + "/source/file").c_str(), 5, 6), 0);
    config_["mounts"].push_back({{"source", folder_ + "/source"},
                                 {"destination", "/data"},
                                 {"type", "bind"},
                                 {"options", {"bind", "idmap"}},
                                 {"uidMappings", {{{"containerID", 0}, {"hostID", 1000}, {"size", 100}}}},
                                 {"gidMappings", {{{"containerID", 0}, {"hostID", 2000}, {"size", 100}}}}});
    script("stat -c '%u %g' /data/file");
    test::Finished finished = run();
    if (finished.out.find("map the owners of its files: invalid argument") != std::string::npos)
        GTEST_SKIP() << "the file system of " << folder_ << " can't be mounted with other owners on this kernel";
    EXPECT_EQ(finished.out, "1005 2006\n");
    config_["mounts"].back()["options"] = {"bind"};
    EXPECT_NE(refusal().find("the option idmap or ridmap is missing"), std::string::npos);
}

TEST_F(OciTest, ClocksMayBeShifted) {
    config_["linux"]["namespaces"].push_back({{"type", "time"}});
    config_["linux"]["timeOffsets"] = {{"boottime", {{"secs", 1000000000}}}};
    EXPECT_EQ(print("test $(cut -d . -f 1 /proc/uptime) -gt 1000000000 && echo shifted"), "shifted\n");
}

TEST_F(OciTest, NamespacesAreJoined) {
    create();
    start();
    const std::string of = "/proc/" + std::to_string(state()["pid"].get<int>()) + "/ns/";
    Json second = config_;
    second["linux"]["cgroupsPath"] = "/" + group_ + "/d";
    second["linux"]["namespaces"] = {{{"type", "mount"}},
                                     {{"type", "pid"}, {"path", of + "pid"}},
                                     {{"type", "uts"}, {"path", of + "uts"}},
                                     {{"type", "ipc"}, {"path", of + "ipc"}},
                                     {{"type", "network"}, {"path", of + "net"}}};
    second["process"]["args"] = {
        "/bin/sh", "-c", "for n in pid uts ipc net; do readlink /proc/self/ns/$n; done; ps | grep -c '[s]leep 1000$'"};
    second.erase("hostname");
    make_folders(AT_FDCWD, folder_ + "/other");
    second["root"]["path"] = root_folder();
    std::ofstream(folder_ + "/other/config.json") << second.dump();
    std::string expected;
    for (const char* name : {"pid", "uts", "ipc", "net"})
        expected += std::filesystem::read_symlink(of + name).string() + "\n";
    EXPECT_EQ(oci({"run", "--bundle", folder_ + "/other", "d"}).out, expected + "1\n");
}

TEST_F(OciTest, LimitsAreWrittenIntoTheGroup) {
    config_["linux"]["resources"]["memory"] = {{"limit", 64 << 20}, {"reservation", 32 << 20}};
    config_["linux"]["resources"]["cpu"] = {{"shares", 512}, {"quota", 50000}, {"period", 100000}, {"cpus", "0"}};
    config_["linux"]["resources"]["pids"] = {{"limit", 33}};
    create();
    EXPECT_EQ(group_file("memory", "memory.limit_in_bytes", "memory.max"), "67108864\n");
    EXPECT_EQ(group_file("memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432\n");
    EXPECT_EQ(group_file("pids", "pids.max", "pids.max"), "33\n");
    EXPECT_EQ(group_file("cpuset", "cpuset.cpus", "cpuset.cpus"), "0\n");
    const std::string quota = group_file("cpu", "cpu.cfs_quota_us", "cpu.max");
    EXPECT_TRUE(quota == "50000\n" || quota == "50000 100000\n") << quota;
    const std::string shares = group_file("cpu", "cpu.shares", "cpu.weight");
    EXPECT_TRUE(shares == "512\n" || shares == "20\n") << shares;
    start();
    EXPECT_EQ(oci({"update", "--memory", "128m", "--pids-limit", "-1", "c"}).code, 0);
    EXPECT_EQ(group_file("memory", "memory.limit_in_bytes", "memory.max"), "134217728\n");
    EXPECT_EQ(group_file("pids", "pids.max", "pids.max"), "max\n");
    test::Finished wrong = oci({"update", "--memory", "much", "c"});
    EXPECT_NE(wrong.code, 0);
    EXPECT_NE(wrong.out.find("--memory"), std::string::npos) << wrong.out;
}

TEST_F(OciTest, ALimitThatTheMachineDoesNotTakeIsAnError) {
    config_["linux"]["resources"]["cpu"] = {{"cpus", "4095"}};
    EXPECT_NE(refusal().find("linux.resources.cpu.cpus"), std::string::npos);
    config_["linux"]["resources"]["cpu"] = Json::object();
    config_["linux"]["resources"]["hugepageLimits"] = {{{"pageSize", "3MB"}, {"limit", 1}}};
    EXPECT_NE(refusal().find("linux.resources.hugepageLimits"), std::string::npos);
}

TEST_F(OciTest, TooMuchMemoryEndsIt) {
    config_["linux"]["resources"]["memory"] = {{"limit", 16 << 20}};
    script("head -c 100000000 /dev/zero | tr '\\0' x | sort >/dev/null; echo survived");
    test::Finished finished = run();
    EXPECT_EQ(finished.out.find("survived") == std::string::npos || finished.out.find("Killed") != std::string::npos,
              true);
}

}  // namespace
}  // namespace kedge::oci
