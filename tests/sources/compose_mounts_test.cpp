#include "tests/sources/compose_testing.h"

#include <cstdlib>

using namespace kedge;
using namespace kedge::sources;

using ComposeMountsTest = ComposeTest;

namespace {

VolumeMount bind_of(const std::string& source, const std::string& target) {
    VolumeMount mount;
    mount.type = "bind";
    mount.source = source;
    mount.target = target;
    mount.create_host_path = true;
    return mount;
}

VolumeMount volume_of(const std::string& source, const std::string& target) {
    VolumeMount mount = bind_of(source, target);
    mount.type = "volume";
    mount.create_host_path = false;
    return mount;
}

}  // namespace

TEST_F(ComposeMountsTest, BothFormsGiveTheSameMounts) {
    std::string here = input.directory;
    auto with = [](VolumeMount mount, auto&& change) {
        change(mount);
        return mount;
    };
    using M = VolumeMount;
    const std::pair<std::string, VolumeMount> cases[] = {
        {"/data", volume_of("", "/data")},
        {"v:/data", volume_of("v", "/data")},
        {"v:/data/../d//x/", volume_of("v", "/d/x")},
        {"v:/data:ro", with(volume_of("v", "/data"), [](M& m) { m.read_only = true; })},
        {"v:/data:rw", volume_of("v", "/data")},
        {"v:/data:ro,nocopy", with(volume_of("v", "/data"), [](M& m) { m.read_only = m.no_copy = true; })},
        {"/srv:/data", bind_of("/srv", "/data")},
        {"/srv/../x/:/data", bind_of("/x", "/data")},
        {"./a:/data", bind_of(here + "/a", "/data")},
        {".:/data", bind_of(here, "/data")},
        {"../a:/data:ro", with(bind_of(path + "/a", "/data"), [](M& m) { m.read_only = true; })},
        {"~/a:/data", bind_of("/home/me/a", "/data")},
        {"~:/data", bind_of("/home/me", "/data")},
        {"/srv:/data:rslave", with(bind_of("/srv", "/data"), [](M& m) { m.propagation = "rslave"; })},
        {"/srv:/data:z", bind_of("/srv", "/data")},
        {"/srv:/data:Z,ro,cached", with(bind_of("/srv", "/data"), [](M& m) { m.read_only = true; })},
        {"{type: volume, source: v, target: /data}", volume_of("v", "/data")},
        {"{type: volume, target: /data}", volume_of("", "/data")},
        {"{type: volume, source: v, target: /data, read_only: true, volume: {nocopy: true}}",
         with(volume_of("v", "/data"), [](M& m) { m.read_only = m.no_copy = true; })},
        {"{type: bind, source: /srv, target: /data, consistency: cached}", bind_of("/srv", "/data")},
        {"{type: bind, source: a, target: /data}", bind_of(here + "/a", "/data")},
        {"{type: bind, source: ./a, target: /data, bind: {create_host_path: false, propagation: shared, selinux: z}}",
         with(bind_of(here + "/a", "/data"),
              [](M& m) {
                  m.create_host_path = false;
                  m.propagation = "shared";
              })},
        {"{type: tmpfs, target: /data}", with(volume_of("", "/data"), [](M& m) { m.type = "tmpfs"; })},
        {"{type: tmpfs, target: /data, tmpfs: {size: 64m, mode: 0700}}", with(volume_of("", "/data"),
                                                                              [](M& m) {
                                                                                  m.type = "tmpfs";
                                                                                  m.tmpfs_size = 64 << 20;
                                                                                  m.tmpfs_mode = 0700;
                                                                              })},
        {"{type: tmpfs, target: /data, tmpfs: {mode: '1777'}}", with(volume_of("", "/data"),
                                                                     [](M& m) {
                                                                         m.type = "tmpfs";
                                                                         m.tmpfs_mode_given = true;
                                                                     })},
        {"{type: tmpfs, target: /data, tmpfs: {size: 1024, mode: '0755'}}", with(volume_of("", "/data"),
                                                                                 [](M& m) {
                                                                                     m.type = "tmpfs";
                                                                                     m.tmpfs_size = 1024;
                                                                                     m.tmpfs_mode = 0755;
                                                                                 })},
    };
    ::setenv("HOME", "/home/me", 1);
    for (const auto& [text, wanted] : cases) {
        std::string entry = text.starts_with('{') ? text : "'" + text + "'";
        Project project = load("services:\n  web:\n    image: app\n    volumes: [" + entry + "]\nvolumes: {v: }\n");
        EXPECT_EQ(project.services.at("web").volumes, std::vector<VolumeMount>{wanted}) << text;
    }
}

TEST_F(ComposeMountsTest, WhatIsNoMountIsNamed) {
    auto one = [](const std::string& entry, const std::string& wanted) {
        return std::pair("volumes: [" + entry + "]", "4: services.web.volumes[0]" + wanted);
    };
    ::setenv("HOME", "/home/me", 1);
    expect_service_errors({
        {"volumes: /data", "4: services.web.volumes: must be a list"},
        {"volumes: {a: /data}", "4: services.web.volumes: must be a list"},
        one("5", ": must be a string or mapping"),
        one("[a]", ": must be a string or mapping"),
        one("data", ": invalid mount path: \"data\" mount path must be absolute"),
        one("'v:data'", ": invalid mount path: \"data\" mount path must be absolute"),
        one("''", ": invalid mount path: \"\" mount path must be absolute"),
        one("'/srv:/'", ": the mount path can't be \"/\""),
        one("'/srv:/a/..'", ": the mount path can't be \"/\""),
        one("'/srv://'", ": the mount path can't be \"/\""),
        one("'v:'", ": \"v:\" is not a mount"),
        one("':/data'", ": \":/data\" is not a mount"),
        one("'v:/data:'", ": \"\" is not a mount option"),
        one("'v:/data:fast'", ": \"fast\" is not a mount option"),
        one("'v:/data:ro,'", ": \"\" is not a mount option"),
        one("'v:/data:ro:z'", ": \"ro:z\" is not a mount option"),
        one("'C:\\\\data:/data'", ": \"C:\\\\data:/data\": paths of Windows are not supported"),
        one("'C:\\data:/data'", ": \"C:\\data:/data\": paths of Windows are not supported"),
        one("'c:/data:/x'", ": \"/x\" is not a mount option"),
        one("'~other/a:/data'", ": \"~other/a\": there is no such home folder"),
        one("'none:/data'", ": service \"web\" refers to undefined volume none"),
        one("'a/b:/data'", ": service \"web\" refers to undefined volume a/b"),
        one("{target: /data}", ": type is missing"),
        one("{type: disk, target: /data}", ".type: \"disk\" is not one of volume, bind, tmpfs"),
        one("{type: npipe, target: /data}", ".type: mounts of type npipe are not supported yet"),
        one("{type: image, source: a, target: /data}", ".type: mounts of type image are not supported yet"),
        one("{type: bind, target: /data}", ": a bind mount needs a source"),
        one("{type: tmpfs, source: a, target: /data}", ".source: a tmpfs mount has no source"),
        one("{type: volume, source: a}", ": invalid mount path: \"\" mount path must be absolute"),
        one("{type: volume, source: none, target: /data}", ": service \"web\" refers to undefined volume none"),
        one("{type: volume, target: /data, bind: {}}", ".bind: a mount of type volume takes no bind options"),
        one("{type: bind, source: /a, target: /data, tmpfs: {}}",
            ".tmpfs: a mount of type bind takes no tmpfs options"),
        one("{type: tmpfs, target: /data, volume: {}}", ".volume: a mount of type tmpfs takes no volume options"),
        one("{type: bind, source: /a, target: /data, bind: {propagation: far}}",
            ".bind.propagation: \"far\" is not a propagation"),
        one("{type: bind, source: /a, target: /data, bind: {selinux: x}}", ".bind.selinux: \"x\" is not one of z, Z"),
        one("{type: tmpfs, target: /data, tmpfs: {size: big}}", ".tmpfs.size: \"big\" is not a size"),
        one("{type: tmpfs, target: /data, tmpfs: {mode: '9'}}", ".tmpfs.mode: \"9\" is not a file mode"),
        one("{type: tmpfs, target: /data, read_only: 3}", ".read_only: must be true or false"),
    });
}

TEST_F(ComposeMountsTest, TmpfsOptionsAreKnown) {
    expect_service_errors({
        {"tmpfs: {a: b}", "4: services.web.tmpfs: must be a string"},
        {"tmpfs: [run]", "4: services.web.tmpfs[0]: invalid mount path: \"run\" mount path must be absolute"},
        {"tmpfs: ['/run:size=big']", "4: services.web.tmpfs[0]: \"big\" is not a size"},
        {"tmpfs: ['/run:mode=9']", "4: services.web.tmpfs[0]: \"9\" is not a file mode"},
        {"tmpfs: ['/run:uid=1000']", "4: services.web.tmpfs[0]: the tmpfs option \"uid=1000\" is not supported yet"},
        {"tmpfs: ['/run:exec']", "4: services.web.tmpfs[0]: the tmpfs option \"exec\" is not supported yet"},
        {"tmpfs: ['/run:fast']", "4: services.web.tmpfs[0]: the tmpfs option \"fast\" is unknown"},
        {"tmpfs: ['/run:']", "4: services.web.tmpfs[0]: the tmpfs option \"\" is unknown"},
    });
}

TEST_F(ComposeMountsTest, TwoMountsCantShareAPlace) {
    expect_service_errors({
        {"volumes: ['/a:/x', '/b:/x/']", "4: services.web.volumes: duplicate mount point: /x"},
        {"volumes: ['/a:/x']\ntmpfs: /y/../x", "5: services.web.tmpfs: duplicate mount point: /x"},
    });
    EXPECT_EQ(error("services:\n  web:\n    image: a\n    volumes: ['/a:/run/secrets/s']\n    secrets: [s]\nsecrets: "
                    "{s: {file: f}}"),
              "compose.yaml:5: services.web.secrets: duplicate mount point: /run/secrets/s");
}

TEST_F(ComposeMountsTest, InARepositoryContentIsDigestedAndTheRestIsData) {
    input.confine_to = path;
    input.data_folder = path + "/data";
    write("conf/a.txt", "one");
    Service first = service("volumes: ['./conf:/conf', './data:/data', '/srv:/srv', './conf/a.txt:/a.txt:ro']");
    EXPECT_EQ(first.volumes[0].source, input.directory + "/conf");
    EXPECT_TRUE(first.volumes[0].content_digest.starts_with("sha256:"));
    EXPECT_FALSE(first.volumes[0].create_host_path);
    EXPECT_EQ(first.volumes[1].source, path + "/data/data");
    EXPECT_TRUE(first.volumes[1].create_host_path);
    EXPECT_EQ(first.volumes[1].content_digest, "");
    EXPECT_EQ(first.volumes[2].content_digest, "");
    std::string text = "volumes: ['./conf:/conf', './data:/data', '/srv:/srv', './conf/a.txt:/a.txt:ro']";
    EXPECT_EQ(service(text), first) << "the same bytes, the same digest";
    write("conf/a.txt", "two");
    Service second = service(text);
    EXPECT_NE(second.volumes[0].content_digest, first.volumes[0].content_digest);
    EXPECT_NE(second.volumes[3].content_digest, first.volumes[3].content_digest);
    ASSERT_EQ(::chmod((input.directory + "/conf/a.txt").c_str(), 0755), 0);
    EXPECT_NE(service(text).volumes[0].content_digest, second.volumes[0].content_digest) << "a mode is content too";
    EXPECT_EQ(service_error("volumes: ['../../x:/x']").substr(0, 42), "compose.yaml:4: services.web.volumes[0]: /");
    EXPECT_EQ(service_error("volumes: ['~/x:/x']"),
              "compose.yaml:4: services.web.volumes[0]: \"~/x\": ~ has no meaning in a repository");
}

TEST_F(ComposeMountsTest, AFolderOfLinksAndPipesIsDigestedWithoutFollowingOrWaiting) {
    input.confine_to = path;
    write("conf/a", "");
    std::string conf = input.directory + "/conf";
    ASSERT_EQ(::symlink("/etc/passwd", (conf + "/link").c_str()), 0);
    ASSERT_EQ(::symlink("..", (conf + "/loop").c_str()), 0);
    ASSERT_EQ(::mkfifo((conf + "/pipe").c_str(), 0600), 0);
    std::string before = service("volumes: ['./conf:/c']").volumes[0].content_digest;
    ASSERT_EQ(::unlink((conf + "/link").c_str()), 0);
    ASSERT_EQ(::symlink("/etc/shadow", (conf + "/link").c_str()), 0);
    EXPECT_NE(service("volumes: ['./conf:/c']").volumes[0].content_digest, before);
}

TEST_F(ComposeMountsTest, ALinkInTheDataFolderIsNotFollowed) {
    input.confine_to = path;
    input.data_folder = path + "/data";
    ASSERT_EQ(::mkdir(input.data_folder.c_str(), 0755), 0);
    ASSERT_EQ(::symlink("/etc", (input.data_folder + "/db").c_str()), 0);
    EXPECT_NE(service_error("volumes: ['./db/x:/x']").find("in the data folder can't be mounted"), std::string::npos);
}
