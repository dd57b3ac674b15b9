#include "tests/runtime/engine_fixture.h"

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct VolumeMounts : test::EngineFixture {
    std::string output_of(const ContainerSpec& spec) {
        std::string output;
        (void)run_to_end(spec, &output);
        return output;
    }
    ContainerSpec mounting(const std::string& script, std::vector<Mount> mounts) {
        ContainerSpec spec = shell(script);
        spec.mounts = std::move(mounts);
        return spec;
    }
    std::string data_of(const std::string& name) { return engine->volumes().inspect(name).mountpoint; }
    void import_with_content() {
        import("content", test::busybox_tar([](test::TarWriter& tar) {
                   tar.folder("srv", 02750, 1000, 2000);
        tar.file("srv/file", "from the image\n", 0640, 1000, 2000);
        tar.file("srv/tool", "#!/bin/sh\n", 04755);
        tar.link("srv/link", "file");
        tar.link("srv/outside", "/etc/passwd");
        tar.hard_link("srv/same", "srv/file");
        tar.folder("srv/sub", 0700);
        tar.file("srv/sub/deep", "deep\n");
    }));
}
};  // namespace

}  // namespace

TEST_F(VolumeMounts, ANewVolumeTakesOverWhatTheImageHasThereAsItIs) {
    import_with_content();
    ContainerSpec spec = mounting(
        "cd /srv; stat -c '%n %a %u:%g %h' . file tool same sub sub/deep; readlink link; readlink outside; cat file",
        {volume("data", "/srv")});
    spec.image = "content";
    EXPECT_EQ(output_of(spec),
              ". 2750 1000:2000 3\nfile 640 1000:2000 2\ntool 4755 0:0 1\nsame 640 1000:2000 2\nsub 700 0:0 "
              "2\nsub/deep 644 0:0 1\n"
              "file\n/etc/passwd\nfrom the image\n");
    EXPECT_EQ(read_file_at(AT_FDCWD, data_of("data") + "/file"), "from the image\n");
}

TEST_F(VolumeMounts, ItIsTakenOverOnceOnly) {
    import_with_content();
    ContainerSpec spec = mounting("echo changed > /srv/file; rm -r /srv/sub", {volume("data", "/srv")});
    spec.image = "content";
    (void)output_of(spec);
    spec.command = std::vector<std::string>{"sh", "-c", "cat /srv/file; ls /srv"};
    EXPECT_EQ(output_of(spec), "changed\nfile\nlink\noutside\nsame\ntool\n");
    spec.mounts = {volume("fresh", "/srv")};
    spec.mounts[0].no_copy = true;
    EXPECT_EQ(output_of(spec), "cat: can't open '/srv/file': No such file or directory\n")
        << "nothing was to be copied";
}

TEST_F(VolumeMounts, AVolumeWithContentKeepsItAndHidesTheImages) {
    import_with_content();
    VolumeSpec made;
    made.name = "mine";
    write_file_durably(AT_FDCWD, engine->volumes().create(made).mountpoint + "/own", "own\n");
    ContainerSpec spec = mounting("ls /srv; cat /srv/own", {volume("mine", "/srv")});
    spec.image = "content";
    EXPECT_EQ(output_of(spec), "own\nown\n");
}

TEST_F(VolumeMounts, AVolumeOverAFolderThatTheImageReachesByALinkGetsItsContent) {
    import("linked", test::busybox_tar([](test::TarWriter& tar) {
               tar.folder("real");
    tar.file("real/file", "behind a link\n");
    tar.link("srv", "/real");
}));
ContainerSpec spec = mounting("cat /srv/file; grep -c ' /real ' /proc/mounts", {volume("data", "/srv")});
spec.image = "linked";
EXPECT_EQ(output_of(spec), "behind a link\n1\n");
}

TEST_F(VolumeMounts, SeveralContainersShareANamedVolume) {
    std::string writer = run(mounting("echo shared > /data/note; sleep 1000", {volume("both", "/data")}));
    std::string reader =
        run(mounting("while ! test -s /here/note; do sleep 0.02; done; cat /here/note", {volume("both", "/here")}));
    EXPECT_EQ(containers().wait(reader), 0);
    EXPECT_EQ(log_of(reader), "shared\n");
    Code code = Code::internal;
    std::string what = refusal([&] { engine->volumes().remove("both"); }, &code);
    EXPECT_EQ(code, Code::conflict);
    EXPECT_NE(what.find("volume is in use"), std::string::npos);
    EXPECT_NE(what.find(writer), std::string::npos) << "and by whom is told";
    EXPECT_NE(what.find(reader), std::string::npos) << "also by one that has ended";
    containers().remove(writer, {.force = true, .volumes = true});
    containers().remove(reader, {.volumes = true});
    EXPECT_NO_THROW(engine->volumes().inspect("both")) << "a named volume is nobody's to take away";
    EXPECT_NO_THROW(engine->volumes().remove("both"));
}

TEST_F(VolumeMounts, AnAnonymousVolumeGoesWithItsContainerIfThatIsAskedFor) {
    ContainerSpec spec = mounting("echo x > /data/x", {volume("", "/data")});
    std::string kept = run(spec), gone = run(spec);
    (void)containers().wait(kept);
    (void)containers().wait(gone);
    std::string name = containers().inspect(gone).mounts.at(0).source;
    ASSERT_EQ(name.size(), 64u);
    EXPECT_TRUE(engine->volumes().inspect(name).anonymous);
    containers().remove(gone, {.volumes = true});
    EXPECT_EQ(code_of([&] { engine->volumes().inspect(name); }), Code::not_found);
    name = containers().inspect(kept).mounts.at(0).source;
    containers().remove(kept);
    EXPECT_EQ(read_file_at(AT_FDCWD, data_of(name) + "/x"), "x\n");
    EXPECT_NO_THROW(engine->volumes().remove(name));
    spec.auto_remove = true;
    std::string third = containers().create(spec);
    containers().start(third);
    EXPECT_TRUE(wait_until_gone(third));
    EXPECT_TRUE(engine->volumes().list().empty()) << "what removes itself takes them along";
}

TEST_F(VolumeMounts, AnAnonymousVolumeThatAnotherUsesStays) {
    std::string first = containers().create(mounting("true", {volume("", "/data")}));
    std::string name = containers().inspect(first).mounts.at(0).source;
    std::string second = containers().create(mounting("true", {volume(name, "/data")}));
    containers().remove(first, {.volumes = true});
    EXPECT_NO_THROW(engine->volumes().inspect(name));
    containers().remove(second);
}

TEST_F(VolumeMounts, ACreateThatFailsLeavesNoAnonymousVolume) {
    ContainerSpec spec = mounting("true", {volume("", "/data"), volume("", "/etc/passwd")});
    try {
        containers().remove(containers().create(spec), {.volumes = true});
    } catch (const Error&) {
        // either is fine
    }
    EXPECT_TRUE(engine->volumes().list().empty());
}

TEST_F(VolumeMounts, BindsAreWrittenOrOnlyReadAsAskedFor) {
    make_folders(AT_FDCWD, folder + "/source");
    write_file_durably(AT_FDCWD, folder + "/source/file", "host\n");
    std::string output =
        output_of(mounting("cat /rw/file /one; echo x > /rw/new; echo x 2>&1 > /ro/new; echo x 2>&1 >/one; true",
                           {bind(folder + "/source", "/rw"), bind(folder + "/source", "/ro", true),
                            bind(folder + "/source/file", "/one", true)}));
    EXPECT_EQ(
        output,
        "host\nhost\nsh: can't create /ro/new: Read-only file system\nsh: can't create /one: Read-only file system\n");
    EXPECT_EQ(read_file_at(AT_FDCWD, folder + "/source/new"), "x\n");
}

TEST_F(VolumeMounts, ATemporaryFileSystemHasTheSizeAndModeAskedForAndIsEmptyAgainLater) {
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/scratch";
    tmpfs.tmpfs_size = 1 << 20;
    tmpfs.tmpfs_mode = 0700;
    std::string id =
        run(mounting("ls /scratch; stat -c %a /scratch; head -c 2000000 /dev/zero 2>/dev/null >/scratch/big; stat -c "
                     "%s /scratch/big",
                     {tmpfs}));
    (void)containers().wait(id);
    containers().start(id);
    (void)containers().wait(id);
    EXPECT_EQ(log_of(id), "700\n1048576\n700\n1048576\n");
}

TEST_F(VolumeMounts, MountsInsideOfMountsAreThereWhateverTheirOrder) {
    make_folders(AT_FDCWD, folder + "/outer");
    make_folders(AT_FDCWD, folder + "/inner");
    write_file_durably(AT_FDCWD, folder + "/inner/file", "inner\n");
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/data/a/tmp";
    std::string output = output_of(mounting(
        "cat /data/a/b/file; echo v > /data/a/v/x; echo t > /data/a/tmp/x; echo o > /data/o; cat /data/a/*/x",
        {tmpfs, volume("vol", "/data/a/v"), bind(folder + "/inner", "/data/a/b"), bind(folder + "/outer", "/data")}));
    EXPECT_EQ(output, "inner\nt\nv\n");
    EXPECT_EQ(read_file_at(AT_FDCWD, data_of("vol") + "/x"), "v\n");
    EXPECT_EQ(entries(folder + "/outer/a/v"), std::vector<std::string>{}) << "the volume lies over it";
}

TEST_F(VolumeMounts, AReadOnlyRootLeavesVolumesAndTemporaryPlacesWritable) {
    Mount tmpfs;
    tmpfs.type = Mount::Type::tmpfs;
    tmpfs.target = "/run/app";
    ContainerSpec spec = mounting(
        "echo x 2>&1 >/here; echo x 2>&1 >/etc/here; echo x >/run/app/x; echo x >/data/x; echo x >/dev/shm/x; cat "
        "/run/app/x /data/x /dev/shm/x",
        {tmpfs, volume("vol", "/data")});
    spec.read_only = true;
    EXPECT_EQ(
        output_of(spec),
        "sh: can't create /here: Read-only file system\nsh: can't create /etc/here: Read-only file system\nx\nx\nx\n");
}

TEST_F(VolumeMounts, AnOrdinaryUserReachesItsVolumeAndItsFiles) {
    ContainerSpec spec = mounting("echo x > /data/mine && cat /data/mine; id -u", {volume("vol", "/data")});
    import("owned", test::busybox_tar([](test::TarWriter& tar) { tar.folder("data", 0755, 1000, 1000);
}));
spec.image = "owned";
spec.user = "user";
EXPECT_EQ(output_of(spec), "x\n1000\n");
}

TEST_F(VolumeMounts, TheImagesVolumeIsFilledAndKeptOverRestarts) {
    import("declares", test::busybox_tar([](test::TarWriter& tar) {
               tar.folder("state");
    tar.file("state/seed", "seed\n");
}), {"VOLUME /state"});
ContainerSpec spec = shell("cat /state/seed; cat /state/run 2>/dev/null; echo ran > /state/run");
spec.image = "declares";
std::string id = run(spec);
(void)containers().wait(id);
containers().start(id);
(void)containers().wait(id);
EXPECT_EQ(log_of(id), "seed\nseed\nran\n");
std::string other = run(spec);
(void)containers().wait(other);
EXPECT_EQ(log_of(other), "seed\n") << "each container has its own";
containers().remove(id, {.volumes = true});
containers().remove(other, {.volumes = true});
EXPECT_TRUE(engine->volumes().list().empty());
}

TEST_F(VolumeMounts, MountsAndUnmountsAreTold) {
    Mount fixed = volume("data", "/fixed");
    fixed.read_only = true;
    const uint64_t from = engine->events().next();
    std::string id = containers().create(mounting("true", {fixed}));
    containers().start(id);
    (void)containers().wait(id);
    std::vector<std::string> told;
    std::map<std::string, std::string> mounted, unmounted;
    auto note = [&](const Event& event) {
        told.push_back(event.type + " " + event.action);
        if (event.action == "mount") mounted = event.attributes;
        if (event.action == "unmount") unmounted = event.attributes;
    };
    (void)engine->events().read(from, note, {}, std::chrono::steady_clock::now());
    EXPECT_EQ(told,
              (std::vector<std::string>{"volume create", "container create", "volume mount", "network connect",
                                        "container start", "network disconnect", "volume unmount", "container die"}));
    using Texts = std::map<std::string, std::string>;
    EXPECT_EQ(mounted, (Texts{{"container", id},
                              {"destination", "/fixed"},
                              {"driver", "local"},
                              {"propagation", ""},
                              {"read/write", "false"}}));
    EXPECT_EQ(unmounted, (Texts{{"container", id}, {"driver", "local"}}));
}
