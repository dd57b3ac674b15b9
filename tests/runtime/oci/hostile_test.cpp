#include "tests/runtime/oci/oci_fixture.h"

namespace kedge::oci {
namespace {

Json bind_mount(const std::string& source, const std::string& destination) {
    return {{"source", source}, {"destination", destination}, {"type", "bind"}, {"options", {"rbind"}}};
}

TEST_F(OciTest, ARootThatIsALinkIsRefused) {
    std::filesystem::rename(root_folder(), bundle() + "/real");
    std::filesystem::create_directory_symlink("real", root_folder());
    EXPECT_NE(refusal().find("root.path: \"rootfs\" is not a folder, or a symbolic link"), std::string::npos);
    std::filesystem::remove(root_folder());
    std::filesystem::create_directory_symlink("/", root_folder());
    EXPECT_NE(refusal().find("root.path"), std::string::npos);
    config_["root"]["path"] = "rootfs/tmp";  // below a link that leads out of the bundle
    EXPECT_NE(refusal().find("root.path"), std::string::npos);
    std::filesystem::remove(root_folder());
    std::ofstream(root_folder()) << "a file";
    config_["root"]["path"] = "rootfs";
    EXPECT_NE(refusal().find("root.path"), std::string::npos);
}

TEST_F(OciTest, DestinationsNeverLeadOutOfTheRoot) {
    make_folders(AT_FDCWD, folder_ + "/source");
    make_folders(AT_FDCWD, folder_ + "/outside");
    std::ofstream(folder_ + "/source/file") << "content\n";
    std::filesystem::create_directory_symlink(folder_ + "/outside", root_folder() + "/absolute");
    std::filesystem::create_directory_symlink("../../../../../../../" + folder_ + "/outside",
                                              root_folder() + "/relative");
    std::filesystem::create_directory_symlink("/proc/self/root", root_folder() + "/magic");
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "/absolute/a"));
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "/relative/b"));
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "/data/../../../../../c"));
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "../../d"));
    const std::string inside = folder_ + "/outside";
    EXPECT_EQ(print("cat /absolute/a/file /relative/b/file /c/file /d/file; cat " + inside + "/a/file"),
              "content\ncontent\ncontent\ncontent\ncontent\n");
    EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/outside")) << "something was made outside of the root";
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "/magic/x"));
    (void)refusal();
    EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/outside"));
}

TEST_F(OciTest, LinksInPlaceOfTheKernelsFoldersAreRefused) {
    for (const char* name : {"/proc", "/sys"}) {
        std::filesystem::remove_all(root_folder() + name);
        std::filesystem::create_directory_symlink("/data", root_folder() + name);
        EXPECT_NE(refusal().find(name), std::string::npos);
        std::filesystem::remove(root_folder() + name);
        std::filesystem::create_directory(root_folder() + name);
    }
}

TEST_F(OciTest, NothingIsMountedOverFilesOfProc) {
    make_folders(AT_FDCWD, folder_ + "/source");
    config_["mounts"].push_back(bind_mount(folder_ + "/source", "/proc/sys"));
    EXPECT_NE(refusal().find("/proc/sys"), std::string::npos);
    config_["mounts"].back() = bind_mount("/proc/uptime", "/proc/uptime");
    EXPECT_EQ(print("cat /proc/uptime | wc -l"), "1\n");
}

TEST_F(OciTest, AMaskIsNotUndoneByALink) {
    std::filesystem::create_symlink("/data/secret", root_folder() + "/tmp/link");
    std::ofstream(root_folder() + "/data/secret") << "secret\n";
    config_["linux"]["maskedPaths"] = {"/tmp/link"};
    EXPECT_NE(refusal().find("/tmp/link"), std::string::npos);
}

TEST_F(OciTest, AFailureInTheMiddleLeavesNothing) {
    config_["linux"]["resources"]["pids"] = {{"limit", 50}};
    config_["linux"]["sysctl"] = {{"net.ipv4.nosuch", "1"}};
    EXPECT_NE(refusal().find("net/ipv4/nosuch"), std::string::npos);
    config_["linux"].erase("sysctl");
    config_["mounts"].push_back(bind_mount("/nosuch/folder", "/data"));
    EXPECT_NE(refusal().find("mounts[7].source: /nosuch/folder"), std::string::npos);
    config_["mounts"].back() = {{"destination", "/data"}, {"type", "nosuchfs"}, {"source", "x"}};
    EXPECT_NE(refusal().find("/data"), std::string::npos);
    config_["mounts"].back() = {{"destination", "/data"}, {"type", "tmpfs"}, {"options", {"nosuchoption"}}};
    EXPECT_NE(refusal().find("/data"), std::string::npos);
}

TEST_F(OciTest, TheHostsProgramIsOutOfReach) {
    // What a container executes as /proc/self/exe it may keep open, and write into once nobody runs it any more.
    create();
    Fd program = open_at(AT_FDCWD, "/proc/" + std::to_string(pid_) + "/exe", O_RDONLY);
    struct stat given {
    }, hosts{};
    ASSERT_EQ(::fstat(program.get(), &given), 0);
    ASSERT_EQ(::stat(KEDGE_BUILD "/bin/kedge-shim", &hosts), 0);
    EXPECT_FALSE(given.st_dev == hosts.st_dev && given.st_ino == hosts.st_ino);
    EXPECT_EQ(::fcntl(program.get(), F_GET_SEALS), F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    EXPECT_EQ(status(), "created");
}

TEST_F(OciTest, ManyMountsAreNoTrouble) {
    for (int i = 0; i < 300; i++) config_["mounts"].push_back(bind_mount("/bin", "/data/" + std::to_string(i)));
    EXPECT_EQ(print("ls /data | wc -l"), "300\n");
}

TEST_F(OciTest, ABusyGroupIsNotTaken) {
    create();
    start();
    test::Finished second = oci({"create", "--bundle", bundle(), "d"});
    EXPECT_NE(second.code, 0);
    EXPECT_NE(second.out.find("linux.cgroupsPath"), std::string::npos) << second.out;
    EXPECT_EQ(status(), "running");
}

}  // namespace
}  // namespace kedge::oci
