#include "tests/runtime/outside_fixture.h"

#include <filesystem>

using namespace kedge;
using namespace kedge::runtime;

namespace {

/// Images and volumes that mean harm. Beside every container lies a folder of the host's that must stay as it is.
struct Hostile : test::OutsideFixture {
    /// An image of busybox without the base's /etc, /dev, /proc and so on where `more` puts something else.
    void import_hostile(const std::function<void(test::TarWriter&)>& more) {
        static const std::string busybox = read_file_at(AT_FDCWD, "/bin/busybox");
        test::TarWriter tar;
        tar.folder("bin");
        tar.file("bin/busybox", busybox, 0755);
        for (const char* name : {"sh", "cat", "id", "ls", "pwd", "sleep", "true"})
            tar.link(std::string("bin/") + name, "busybox");
        more(tar);
        import("hostile", tar.finish());
    }
    ContainerSpec hostile(const std::string& script) {
        ContainerSpec spec = shell(script);
        spec.image = "hostile";
        return spec;
    }
    /// Its output, or why it could not start.
    std::string outcome(const ContainerSpec& spec) {
        try {
            std::string output;
            (void)run_to_end(spec, &output);
            return output;
        } catch (const Error& e) {
            return std::string("refused: ") + e.what();
        }
    }
};

}  // namespace

TEST_F(Hostile, AUserDatabaseThatIsAPipeKeepsNobodyWaiting) {
    import_hostile([](test::TarWriter& tar) {
        tar.folder("etc");
        tar.special("etc/passwd", '6');
        tar.special("etc/group", '6');
    });
    EXPECT_EQ(outcome(hostile("echo started")),
              "started\n");  // the container's own programs may wait, the agent must not
    ContainerSpec spec = hostile("true");
    spec.user = "somebody";
    EXPECT_EQ(outcome(spec), "refused: unable to find user somebody: no matching entries in passwd file");
    std::string id = run(hostile("sleep 1000"));
    EXPECT_EQ(exec(id, "echo started").output, "started\n");
}

TEST_F(Hostile, AHugeUserDatabaseIsRefusedAndCostsNoMemory) {
    import_hostile([](test::TarWriter& tar) {
        tar.folder("etc");
        tar.file("etc/passwd", std::string(8 << 20, 'x'));
    });
    ContainerSpec spec = hostile("id -u");
    spec.user = "somebody";
    EXPECT_TRUE(outcome(spec).starts_with("refused: /etc/passwd of the container: ")) << outcome(spec);
}

TEST_F(Hostile, AUserDatabaseThatIsALinkIsReadInsideTheImageOnly) {
    import_hostile([&](test::TarWriter& tar) {
        tar.folder("etc");
        tar.link("etc/passwd", outside + "/passwd");
        tar.link("etc/group", "../../../../../.." + outside + "/group");
    });
    ContainerSpec spec = hostile("true");
    spec.user = "daemon";  // every host has it
    EXPECT_EQ(outcome(spec), "refused: unable to find user daemon: no matching entries in passwd file");
    spec.user = "0:daemon";
    EXPECT_EQ(outcome(spec), "refused: unable to find group daemon: no matching entries in group file");
}

TEST_F(Hostile, AnEtcThatLeadsOutsideIsOnlyEverInside) {
    import_hostile([&](test::TarWriter& tar) { tar.link("etc", outside); });
    std::string text = outcome(hostile("cat /etc/hostname; ls " + outside));
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
    import_hostile([&](test::TarWriter& tar) {
        tar.folder("etc");
        tar.link("etc/hosts", outside + "/hosts");
        tar.link("etc/hostname", "/proc/self/root/etc/hostname");
        tar.link("etc/resolv.conf", "../../../../.." + outside + "/resolv.conf");
    });
    text = outcome(hostile("cat /etc/hosts | head -n 1; true"));
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
}

TEST_F(Hostile, OwnFileSystemsAreNotMountedOverALink) {
    for (const char* name : {"proc", "dev", "sys"}) {
        import_hostile([&](test::TarWriter& tar) { tar.link(name, outside); });
        EXPECT_EQ(outcome(hostile("true")),
                  std::string("refused: mount target /") + name + " is a symbolic link in the image: not allowed");
        import_hostile([&](test::TarWriter& tar) { tar.file(name, "a file\n"); });
        EXPECT_TRUE(outcome(hostile("true")).starts_with("refused: ")) << name;
    }
}

TEST_F(Hostile, ADevWhoseEntriesLeadOutsideIsCovered) {
    import_hostile([&](test::TarWriter& tar) {
        tar.folder("dev");
        tar.link("dev/null", outside + "/secret");
        tar.link("dev/shm", outside);
        tar.link("dev/pts", outside);
    });
    EXPECT_EQ(outcome(hostile("echo x > /dev/null; echo x > /dev/shm/x; ls /dev/shm")), "x\n");
}

TEST_F(Hostile, MountTargetsThatAreLinksStayInside) {
    import_hostile([&](test::TarWriter& tar) {
        tar.link("absolute", outside);
        tar.link("climbing", "../../../../../../.." + outside);
        tar.link("self", "/proc/self/root");
    });
    make_folders(AT_FDCWD, folder + "/source");
    write_file_durably(AT_FDCWD, folder + "/source/file", "mounted\n");
    ContainerSpec spec = hostile("cat /absolute/a/file /climbing/b/file");
    spec.mounts = {bind(folder + "/source", "/absolute/a"), bind(folder + "/source", "/climbing/b")};
    EXPECT_EQ(outcome(spec), "mounted\nmounted\n");
    spec = hostile("true");
    spec.mounts = {bind(folder + "/source", "/self/etc")};
    (void)outcome(spec);
}

TEST_F(Hostile, AVolumeIsNotFilledFromOutsideOfTheImage) {
    import_hostile([&](test::TarWriter& tar) {
        tar.link("data", outside);
        tar.folder("tree");
        tar.link("tree/link", outside + "/secret");
        tar.link("tree/climb", "../../../../../../../../.." + outside);
    });
    ContainerSpec spec = hostile("ls /data; true");
    spec.mounts = {volume("first", "/data")};
    EXPECT_EQ(outcome(spec).find("secret"), std::string::npos);
    EXPECT_EQ(entries(engine->volumes().inspect("first").mountpoint), std::vector<std::string>{});
    spec.mounts = {volume("second", "/tree")};
    (void)outcome(spec);
    std::string data = engine->volumes().inspect("second").mountpoint;
    EXPECT_TRUE(std::filesystem::is_symlink(data + "/link")) << "a link is copied as a link";
    EXPECT_EQ(std::filesystem::read_symlink(data + "/link"), outside + "/secret");
    EXPECT_TRUE(std::filesystem::is_symlink(data + "/climb"));
}

TEST_F(Hostile, AVolumeFullOfLinksLeadsNextStartsMountsNowhereElse) {
    ContainerSpec spec = shell("ln -s " + outside + " /data/link; ln -s / /data/root; ln -s /proc/self/fd /data/fds");
    spec.mounts = {volume("shared", "/data")};
    EXPECT_EQ(run_to_end(spec), 0);
    // Another container mounts below these links, and works in them.
    make_folders(AT_FDCWD, folder + "/source");
    spec = shell("ls /data/link; pwd");
    spec.mounts = {volume("shared", "/data"), bind(folder + "/source", "/data/link/sub")};
    spec.working_dir = "/data/link/made";
    std::string text = outcome(spec);
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
    spec.working_dir = "/data/fds/3";
    (void)outcome(spec);
    containers().list();
    for (const auto& info : containers().list()) containers().remove(info.id);
    engine->volumes().remove("shared");  // nor does removing follow any
}

TEST_F(Hostile, AWorkingDirectoryThroughALinkStaysInside) {
    import_hostile([&](test::TarWriter& tar) {
        tar.link("absolute", outside);
        tar.link("fd", "/proc/self/fd/5");
        tar.link("up", "../../../../../..");
    });
    for (const char* place : {"/absolute", "/absolute/made", "/fd", "/up/made", "/../../.."}) {
        ContainerSpec spec = hostile("ls; pwd");
        spec.working_dir = place;
        std::string text = outcome(spec);
        EXPECT_EQ(text.find("secret"), std::string::npos) << place << ": " << text;
    }
    std::string id = run(hostile("sleep 1000"));
    ExecSpec inside = command({"ls"});
    inside.working_dir = "/absolute";
    std::string seen;
    try {
        seen = containers().exec(id, inside, std::chrono::seconds(10), 4096).output;
    } catch (const Error&) {
        // refused is fine
    }
    EXPECT_EQ(seen.find("secret"), std::string::npos);
}

TEST_F(Hostile, AVolumesNameOrAContainersNameIsNoPath) {
    for (const char* name : {"../outside", "..", ".", "a/../../outside", "/etc"}) {
        ContainerSpec spec = shell("true");
        spec.mounts = {volume(name, "/data")};
        EXPECT_EQ(code_of([&] { containers().create(spec); }), Code::invalid_argument) << name;
        VolumeSpec made;
        made.name = name;
        EXPECT_EQ(code_of([&] { engine->volumes().create(made); }), Code::invalid_argument) << name;
        EXPECT_EQ(code_of([&] { engine->volumes().remove(name); }), Code::not_found) << name;
    }
}

TEST_F(Hostile, ARunningContainerThatSwapsItsEtcFoolsNobodyWhoRunsACommandInIt) {
    import_hostile([](test::TarWriter& tar) { tar.folder("etc"); });
    std::string id = run(hostile("busybox mv /etc /old; busybox ln -s " + outside +
                                 " /etc; busybox mkfifo /old/passwd; echo ready; sleep 1000"));
    ASSERT_TRUE(wait_for_log(id, "ready"));
    EXPECT_EQ(exec(id, "echo started").output, "started\n");
    ExecSpec spec = command({"id"});
    spec.user = "daemon";
    EXPECT_EQ(code_of([&] { containers().exec(id, spec, std::chrono::seconds(10), 4096); }), Code::invalid_argument);
}
