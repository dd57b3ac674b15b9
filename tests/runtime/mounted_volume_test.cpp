// Volumes with the local driver's options, and mounts of images.
#include "tests/runtime/engine_fixture.h"

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct MountedVolumes : test::EngineFixture {
    std::string output_of(const ContainerSpec& spec) {
        std::string output;
        (void)run_to_end(spec, &output);
        return output;
    }
    void make(const std::string& name, const std::string& type, const std::string& device, const std::string& words) {
        VolumeSpec spec;
        spec.name = name;
        spec.options = {{"type", type}, {"device", device}, {"o", words}};
        (void)engine->volumes().create(spec);
    }
    static ContainerSpec with(const std::string& script, Mount mount) {
        ContainerSpec spec = shell(script);
        spec.mounts = {std::move(mount)};
        return spec;
    }
    static Mount image(const std::string& reference, const std::string& subpath = {}) {
        Mount mount = volume(reference, "/x");
        mount.type = Mount::Type::image;
        mount.subpath = subpath;
        return mount;
    }
    std::string refusal_of(const ContainerSpec& spec) {
        return refusal([&] { (void)run(spec); });
    }
    std::string mountpoint(const std::string& name) { return options.root + "/volumes/" + name + "/_data"; }
    void import_data(std::vector<std::string> names = {"data:1"}) {
        test::TarWriter tar;
        tar.folder("folder");
        tar.file("folder/file", "of the image\n");
        tar.link("folder/out", "/etc");
        tar.link("link", "folder");
        const std::string bytes = tar.finish();
        for (const std::string& name : names) (void)import(name, bytes);
    }
};

}  // namespace

TEST_F(MountedVolumes, ATmpfsIsOneForAllWhoUseItAndEndsWithTheLast) {
    make("fast", "tmpfs", "tmpfs", "size=1m,mode=700,noexec");
    std::string first =
        run(with("grep ' /v ' /proc/mounts; echo hello >/v/a; echo ready; sleep 1000", volume("fast", "/v")));
    ASSERT_TRUE(wait_for_log(first, "ready"));
    EXPECT_TRUE(log_of(first).starts_with("tmpfs /v tmpfs rw,noexec,relatime,size=1024k,mode=700")) << log_of(first);
    Mount fixed = volume("fast", "/w");
    fixed.read_only = true;
    EXPECT_EQ(output_of(with("cat /w/a; touch /w/b 2>&1", fixed)), "hello\ntouch: /w/b: Read-only file system\n");
    std::string third = run(with("cat /w/a; echo more >>/w/a; echo ready; sleep 1000", volume("fast", "/w")));
    ASSERT_TRUE(wait_for_log(third, "ready"));
    EXPECT_TRUE(log_of(third).starts_with("hello\n"));
    EXPECT_EQ(exec(first, "cat /v/a").output, "hello\nmore\n");
    // Nobody on the host sees it, and the next agent finds it where it is used.
    EXPECT_EQ(entries(mountpoint("fast")), std::vector<std::string>{});
    close_engine();
    open_engine();
    std::string fourth = run(with("cat /w/a; echo ready; sleep 1000", volume("fast", "/w")));
    ASSERT_TRUE(wait_for_log(fourth, "ready"));
    EXPECT_TRUE(log_of(fourth).starts_with("hello\nmore\n"));
    for (const std::string& id : {first, third, fourth}) containers().remove(id, {.force = true});
    EXPECT_EQ(output_of(with("ls /w | wc -w", volume("fast", "/w"))), "0\n");
}

TEST_F(MountedVolumes, ABindIsTheHostsFolderWithTheMountsOfTheVolumesOptions) {
    make_folders(AT_FDCWD, folder + "/host/part", 0755);
    write_file_durably(AT_FDCWD, folder + "/host/part/file", "of the host\n");
    make("bound", "none", folder + "/host", "bind");
    make("fixed", "", folder + "/host", "bind,ro,nosuid");
    EXPECT_EQ(output_of(with("cat /v/part/file; echo new >/v/new", volume("bound", "/v"))), "of the host\n");
    EXPECT_EQ(read_file_at(AT_FDCWD, folder + "/host/new"), "new\n");
    EXPECT_EQ(output_of(with("touch /v/x 2>&1; grep -c ' /v .*nosuid' /proc/mounts", volume("fixed", "/v"))),
              "touch: /v/x: Read-only file system\n1\n");
    Mount part = volume("bound", "/v");
    part.subpath = "part";
    EXPECT_EQ(output_of(with("ls /v", part)), "file\n");
    ASSERT_EQ(::symlink("/etc", (folder + "/host/out").c_str()), 0);
    part.subpath = "out";
    EXPECT_NE(refusal_of(with("ls /v", part)).find("too many levels of symbolic links"), std::string::npos);
}

TEST_F(MountedVolumes, AnEmptyOneTakesOverWhatTheImageHasThere) {
    make_folders(AT_FDCWD, folder + "/host", 0755);
    make("bound", "none", folder + "/host", "bind");
    EXPECT_EQ(output_of(with("ls /v", volume("bound", "/v"))), "");
    EXPECT_EQ(output_of(with("cat /etc/group | head -c 4", volume("bound", "/etc"))), "root");
    EXPECT_EQ(read_file_at(AT_FDCWD, folder + "/host/group").substr(0, 4), "root");
}

TEST_F(MountedVolumes, FilesAreCopiedIntoAndOutOfThemWhileNobodyRuns) {
    make_folders(AT_FDCWD, folder + "/host", 0755);
    write_file_durably(AT_FDCWD, folder + "/host/file", "of the host\n");
    make("bound", "none", folder + "/host", "bind");
    std::string id = containers().create(with("true", volume("bound", "/v")));
    EXPECT_EQ(engine->files().stat(id, "/v/file").size, 12);
    std::string mounted = containers().create(with("true", image("busybox")));
    EXPECT_EQ(engine->files().stat(mounted, "/x/etc/passwd").name, "passwd");
}

TEST_F(MountedVolumes, WhatCantBeMountedIsToldInDockersWordsAndLeavesNothing) {
    auto error = [&](const std::string& name, const std::string& rest) {
        return "error while mounting volume '" + mountpoint(name) + "': failed to mount local volume: mount " + rest;
    };
    make("none", "nosuchfs", "x", "");
    EXPECT_EQ(refusal_of(with("true", volume("none", "/v"))),
              error("none", "x:" + mountpoint("none") + ": no such device"));
    make("gone", "none", "/not/there", "bind");
    EXPECT_EQ(refusal_of(with("true", volume("gone", "/v"))),
              error("gone", "/not/there:" + mountpoint("gone") + ", flags: 0x1000: no such file or directory"));
    make("odd", "tmpfs", "tmpfs", "password=secret,nope=1");
    EXPECT_EQ(refusal_of(with("true", volume("odd", "/v"))),
              error("odd", "tmpfs:" + mountpoint("odd") + ", data: password=********,nope=1: invalid argument"));
    make("empty", "tmpfs", "", "");
    EXPECT_EQ(refusal_of(with("true", volume("empty", "/v"))),
              "error while mounting volume '" + mountpoint("empty") + "': missing device in volume options");
    make("fast", "tmpfs", "tmpfs", "");
    Mount part = volume("fast", "/v");
    part.subpath = "a";
    EXPECT_EQ(refusal_of(with("true", part)), "volume fast: a part of a volume of type tmpfs can't be mounted");
    EXPECT_EQ(refusal_of(with("true", volume("none", "/etc"))),
              "failed to populate volume: " + error("none", "x:" + mountpoint("none") + ": no such device"));
}

TEST_F(MountedVolumes, AMountMakesItsVolumeWithItsOptions) {
    Mount mount = volume("made", "/v");
    mount.volume_options = {{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=2m"}};
    EXPECT_EQ(output_of(with("grep -c ' /v tmpfs .*size=2048k' /proc/mounts", mount)), "1\n");
    EXPECT_EQ(engine->volumes().inspect("made").spec.options, mount.volume_options);
    mount.source.clear();
    EXPECT_EQ(output_of(with("grep -c ' /v tmpfs .*size=2048k' /proc/mounts", mount)), "1\n") << "without a name";
    mount.volume_options = {{"nope", "1"}};
    mount.source = "never";
    EXPECT_EQ(refusal_of(with("true", mount)), "create never: invalid option: \"nope\"");
    EXPECT_EQ(code_of([&] { (void)engine->volumes().inspect("never"); }), Code::not_found);
}

TEST_F(MountedVolumes, AnImageIsMountedToBeRead) {
    import_data();
    EXPECT_EQ(output_of(with("cat /x/folder/file; touch /x/new 2>&1", image("data:1"))),
              "of the image\ntouch: /x/new: Read-only file system\n");
    EXPECT_EQ(output_of(with("cat /x/file", image("data:1", "folder"))), "of the image\n");
    EXPECT_EQ(output_of(with("cat /x", image("data:1", "folder/file"))), "of the image\n");
    CommitOptions named;
    named.reference = "layers:2";
    std::string committed = containers().create(shell("true"));
    (void)engine->files().commit(committed, named);
    EXPECT_EQ(output_of(with("head -c 4 /x/passwd", image("layers:2", "etc"))), "root") << "of several layers";
    EXPECT_EQ(refusal_of(with("true", image("nosuch"))), "No such image: nosuch:latest");
    EXPECT_EQ(refusal_of(with("true", image(""))),
              "invalid mount config for type \"image\": field Source must not be empty");
    for (const char* path : {"../etc", "/etc", "a/../../b"}) {
        EXPECT_EQ(refusal_of(with("true", image("data:1", path))),
                  "invalid mount config for type \"image\": subpath must be a relative path within the volume");
    }
    EXPECT_NE(refusal_of(with("true", image("data:1", "nosuch"))).find("no such file"), std::string::npos);
    for (const char* path : {"link", "link/file", "folder/out/passwd"})
        EXPECT_NE(refusal_of(with("true", image("data:1", path))).find("symbolic links"), std::string::npos) << path;
}

TEST_F(MountedVolumes, AnImageThatIsMountedIsUsed) {
    import_data({"data:1"});
    std::string id = containers().create(with("cat /x/folder/file", image("data:1")));
    EXPECT_EQ(code_of([&] { (void)engine->images().remove("data:1", false); }), Code::conflict);
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id), "of the image\n");
    containers().remove(id, {});
    EXPECT_NO_THROW((void)engine->images().remove("data:1", false));
}
