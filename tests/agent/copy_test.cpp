// `kedge cp`, `export`, `diff` and `commit` with a whole agent behind them.
#include "tests/agent/command_fixture.h"
#include "tests/runtime/tar_writer.h"

#include <filesystem>
#include <fstream>

namespace kedge::test {
namespace {

namespace fs = std::filesystem;

struct CopyCommand : CommandLine {
    void SetUp() override {
        CommandLine::SetUp();
        here = folder + "/here";
        fs::create_directories(here + "/dir/sub");
        put("file", "file\n");
        put("dir/a", "a\n");
        put("dir/sub/b", "b\n");
        (void)said({"create", "--name", "box", "--network", "none", "box:1", "sleep", "1000"});
    }
    void put(const std::string& path, const std::string& text) const { std::ofstream(here + "/" + path) << text; }
    std::string text(const std::string& path) const { return read_file_at(AT_FDCWD, here + "/" + path); }
    std::string at(const std::string& path) const { return here + "/" + path; }
    std::string here;
};

}  // namespace

TEST_F(CopyCommand, CopiesBothWaysWhetherTheContainerRunsOrNot) {
    for (bool running : {false, true}) {
        if (running) (void)said({"start", "box"});
        (void)said({"cp", at("file"), "box:/data"});
        (void)said({"cp", at("dir"), "box:/data/new"});
        (void)said({"cp", at("dir/."), "box:/root"});
        (void)said({"cp", at("file"), "box:/root/renamed"});
        fs::remove_all(at("out"));
        fs::create_directories(at("out"));
        (void)said({"cp", "box:/data/file", at("out")});
        (void)said({"cp", "box:/data/new", at("out")});
        (void)said({"cp", "box:/root/.", at("out/root")});
        (void)said({"cp", "box:/root/renamed", at("out/again")});
        EXPECT_EQ(text("out/file"), "file\n");
        EXPECT_EQ(text("out/new/sub/b"), "b\n");
        EXPECT_EQ(text("out/root/sub/b"), "b\n");
        EXPECT_EQ(text("out/again"), "file\n");
    }
}

TEST_F(CopyCommand, TakesAndGivesTarsOnItsStreams) {
    TarWriter tar;
    tar.file("piped", "through\n");
    (void)said({"cp", "-", "box:/data"}, tar.finish());
    std::string out = said({"cp", "box:/data/piped", "-"});
    EXPECT_EQ(out.substr(512, 8), "through\n");
    EXPECT_NE(kedge({"cp", "-", "box:/data/piped"}, tar.finish()).code, 0) << "a file is no folder";
    EXPECT_NE(kedge({"cp", "-", "box:/data"}, tar.finish().substr(0, 515)).code, 0) << "half an archive";
}

TEST_F(CopyCommand, SaysWhatItCanNotCopy) {
    const std::map<std::vector<std::string>, std::string> refused = {
        {{at("file"), at("other")}, "must specify at least one container source"},
        {{"box:/a", "box:/b"}, "copying between containers is not supported"},
        {{"box:/nosuch", here}, "Could not find the file /nosuch in container box"},
        {{"nosuch:/x", here}, "No such container: nosuch"},
        {{at("file"), "nosuch:/x"}, "No such container: nosuch"},
        {{"box:/data", at("file")}, "cannot copy directory"},
        {{"box:/bin/busybox", at("nosuch/")}, "no such directory"},
        {{"box:/bin/busybox", at("nosuch/x")}, "invalid output path: directory \"" + here + "/nosuch\" does not exist"},
        {{at("nosuch"), "box:/"}, "no such file or directory"},
        {{at("dir"), "box:/bin/busybox"}, "cannot copy directory"},
        {{at("file"), "box:/nosuch/x"}, "Could not find the file /nosuch in container box"},
        {{"/proc/version", "box:/"}, "it can't be copied"},
    };
    for (const auto& [arguments, words] : refused) {
        Result result = kedge({"cp", arguments[0], arguments[1]});
        EXPECT_EQ(result.code, 1) << arguments[0] << " " << arguments[1];
        EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
    }
    EXPECT_EQ(fs::exists(at("nosuch")), false);
}

TEST_F(CopyCommand, FollowsLinksOnlyIfAsked) {
    fs::create_symlink("dir", at("link"));
    (void)said({"cp", at("link"), "box:/data/plain"});
    (void)said({"cp", "-L", at("link"), "box:/data/followed"});
    (void)said({"cp", "box:/data/plain", at("plain")});
    (void)said({"cp", "box:/data/followed", at("followed")});
    EXPECT_TRUE(fs::is_symlink(at("plain")));
    EXPECT_EQ(text("followed/a"), "a\n");
    (void)said({"cp", "-L", "box:/bin/sh", at("sh")});
    EXPECT_TRUE(fs::is_regular_file(at("sh")));
    EXPECT_FALSE(fs::is_symlink(at("sh")));
}

TEST_F(CopyCommand, WritesThroughNoLinkThatIsHere) {
    put("kept", "kept\n");
    fs::create_directories(at("out"));
    fs::create_symlink(at("kept"), at("out/file"));
    (void)said({"cp", at("file"), "box:/data/file"});
    (void)said({"cp", "box:/data/.", at("out")});
    EXPECT_EQ(text("kept"), "kept\n");
    EXPECT_EQ(text("out/file"), "file\n");
}

TEST_F(CopyCommand, ExportIsWholeOrNotThere) {
    (void)said({"cp", at("file"), "box:/data"});
    std::string tar = said({"export", "box"});
    EXPECT_NE(tar.find("data/file"), std::string::npos);
    (void)said({"export", "-o", at("box.tar"), "box"});
    EXPECT_EQ(text("box.tar"), tar);
    put("old.tar", "old\n");
    EXPECT_EQ(kedge({"export", "-o", at("old.tar"), "nosuch"}).code, 1);
    EXPECT_EQ(text("old.tar"), "old\n");
    EXPECT_EQ(kedge({"export", "-o", at("none.tar"), "nosuch"}).code, 1);
    EXPECT_FALSE(fs::exists(at("none.tar")));
}

TEST_F(CopyCommand, DiffIsOfContainersAndOfProjects) {
    (void)said({"cp", at("file"), "box:/data"});
    EXPECT_EQ(said({"diff", "box"}), "C /data\nA /data/file\n");
    EXPECT_EQ(said({"container", "diff", "box"}), "C /data\nA /data/file\n");
    EXPECT_EQ(said({"diff"}), "no projects yet\n");
    Result neither = kedge({"diff", "nosuch"});
    EXPECT_EQ(neither.code, 1);
    EXPECT_NE(neither.err.find("no container and no project named nosuch"), std::string::npos) << neither.err;
    EXPECT_EQ(kedge({"diff", "--project", "box"}).code, 1) << "that is a container";
    EXPECT_EQ(kedge({"container", "diff"}).code, 1);
}

TEST_F(CopyCommand, CommitPrintsTheImagesId) {
    (void)said({"cp", at("file"), "box:/data"});
    std::string id = said({"commit", "-m", "why", "-a", "me", "-c", "CMD [\"cat\", \"/data/file\"]", "box", "made:1"});
    EXPECT_EQ(id.substr(0, 7), "sha256:");
    EXPECT_EQ(said({"run", "--rm", "--network", "none", "made:1"}), "file\n");
    EXPECT_EQ(said({"image", "inspect", "--format", "{{.Author}} {{.Comment}}", "made:1"}), "me why\n");
    EXPECT_EQ(kedge({"commit", "nosuch"}).code, 1);
}

}  // namespace kedge::test
