#include "image_fixture.h"

#include "base/error.h"
#include "runtime/images/layer_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

constexpr int64_t kLimit = 64 << 20;

struct Unpack : TemporaryFolder {
    std::unique_ptr<LayerStore> store;
    void SetUp() override {
        TemporaryFolder::SetUp();
        store = std::make_unique<LayerStore>(path + "/layers", kLimit);
        write_text(path + "/outside", "untouched");
    }

    std::map<std::string, Node> unpack(const std::string& tar) {
        LayerStore::Unpacked layer = store->unpack(file_with(tar).get(), {});
        return read_tree(store->folder(layer.diff_id));
    }

    /// What is wrong with the tar, as a user reads it. Nothing may be left of it.
    std::string refusal(const std::string& tar, Code code = Code::invalid_argument, const Digest& expected = {}) {
        try {
            (void)store->unpack(file_with(tar).get(), expected);
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), code) << e.what();
            EXPECT_TRUE(names_in(path + "/layers").empty()) << "something is left";
            EXPECT_EQ(read_text(path + "/outside"), "untouched");
            EXPECT_EQ(names_in(path), (std::vector<std::string>{"layers", "outside"}));
            return e.what();
        }
        return "accepted";
    }
};

testing::AssertionResult contains(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "\"" << text << "\" does not contain \"" << part << "\"";
}

}  // namespace

TEST_F(Unpack, EveryKindOfEntryKeepsItsAttributes) {
    Node tool = file("#!/bin/sh\n", 04755);
    tool.xattrs["user.note"] = std::string("with\0zero", 9);
    tool.xattrs["security.capability"] = std::string("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    Node data = file("data", 0640);
    data.uid = 1000;
    data.gid = 70000;
    Node pipe = file("", 0600);
    pipe.type = 'p';
    Node null = file("", 0666);
    null.type = 'c';
    null.major = 1;
    null.minor = 3;
    Node disk = file("", 0660);
    disk.type = 'b';
    disk.major = 8;
    disk.minor = 1;
    Entries entries = {{"bin", folder(01777)},
                       {"bin/tool", tool},
                       {"data", data},
                       {"pipe", pipe},
                       {"null", null},
                       {"disk", disk},
                       {"link", symlink_to("../../outside")},
                       {"empty", folder(0700)}};
    auto tree = unpack(make_tar(entries));
    EXPECT_EQ(tree.size(), entries.size());
    for (const auto& [name, node] : entries) EXPECT_EQ(tree[name], node) << name;
}

TEST_F(Unpack, EveryCompressionGivesTheSameLayer) {
    std::string noise;
    for (int i = 0; i < 40000; ++i) noise += random_hex(16);
    const Entries entries = {{"a", file(noise)}, {"b", file(std::string(3 << 20, 'x'))}};
    const Digest diff_id = Digest::of(make_tar(entries));
    for (Pack pack : {Pack::none, Pack::gzip, Pack::zstd, Pack::xz, Pack::bzip2}) {
        LayerStore fresh(path + "/layers-" + std::to_string(static_cast<int>(pack)), kLimit);
        auto layer = fresh.unpack(file_with(make_tar(entries, pack)).get(), diff_id);
        EXPECT_EQ(layer.diff_id, diff_id);
        EXPECT_EQ(layer.size, static_cast<int64_t>(noise.size()) + (3 << 20));
        EXPECT_EQ(read_text(fresh.folder(diff_id) + "/a"), noise);
    }
}

TEST_F(Unpack, GzipOfSeveralMembersIsOneStream) {
    const std::string tar = make_tar({{"a", file(std::string(100000, 'a'))}});
    std::string members;
    for (size_t at = 0; at < tar.size(); at += 7000) {
        // Each piece is compressed on its own, as pigz and others do.
        std::string piece = path + "/piece";
        write_text(piece, tar.substr(at, 7000));
        std::string output;
        ASSERT_EQ(run({"gzip", "-f", piece}, &output), 0) << output;
        members += read_text(piece + ".gz");
    }
    ::unlink((path + "/piece.gz").c_str());
    auto layer = store->unpack(file_with(members).get(), Digest::of(tar));
    EXPECT_EQ(read_text(store->folder(layer.diff_id) + "/a"), std::string(100000, 'a'));
}

TEST_F(Unpack, WhiteoutsBecomeOverlayfs) {
    auto tree = unpack(make_tar({{"d", folder()},
                                 {"d/.wh.gone", file("")},
                                 {"opaque", folder()},
                                 {"opaque/.wh..wh..opq", file("")},
                                 {"opaque/new", file("n")},
                                 {".wh..wh.plnk", folder()},
                                 {".wh.top", file("")}}));
    EXPECT_EQ(tree["d/gone"].type, 'c');
    EXPECT_EQ(tree["d/gone"].major, 0u);
    EXPECT_EQ(tree["d/gone"].minor, 0u);
    EXPECT_EQ(tree["top"].type, 'c');
    EXPECT_EQ(tree["opaque"].xattrs, (std::map<std::string, std::string>{{"trusted.overlay.opaque", "y"}}));
    EXPECT_EQ(tree.size(), 5u) << "marks must not become files";
}

TEST_F(Unpack, AFolderThatIsRemovedAndMadeAgainHidesTheLowerOne) {
    auto tree = unpack(make_tar({{".wh.a", file("")}, {"a", folder()}, {"b", folder()}, {".wh.b", file("")}}));
    EXPECT_EQ(tree["a"].xattrs["trusted.overlay.opaque"], "y");
    EXPECT_EQ(tree["b"].xattrs["trusted.overlay.opaque"], "y");
}

TEST_F(Unpack, HardLinksShareTheFile) {
    LayerStore::Unpacked layer = store->unpack(
        file_with(make_tar({{"a", file("x")}, {"d/b", hardlink_to("./a")}, {"c", hardlink_to("/d/b")}})).get(), {});
    struct stat a {
    }, c{};
    ASSERT_EQ(::stat((store->folder(layer.diff_id) + "/a").c_str(), &a), 0);
    ASSERT_EQ(::stat((store->folder(layer.diff_id) + "/c").c_str(), &c), 0);
    EXPECT_EQ(a.st_ino, c.st_ino);
    EXPECT_EQ(a.st_nlink, 3u);
    EXPECT_EQ(layer.size, 1);
}

TEST_F(Unpack, ALaterEntryReplacesAnEarlierOneAndNeverWritesIntoIt) {
    auto tree = unpack(make_tar({{"a", file("first")},
                                 {"b", hardlink_to("a")},
                                 {"a", file("second")},
                                 {"d", folder()},
                                 {"d/x", file("x")},
                                 {"d", file("no folder")},
                                 {"e", file("")},
                                 {"e", folder()},
                                 {"e/y", file("y")},
                                 {"a", hardlink_to("a")}}));
    EXPECT_EQ(tree["a"].content, "second");
    EXPECT_EQ(tree["b"].content, "first");
    EXPECT_EQ(tree["d"].content, "no folder");
    EXPECT_EQ(tree["e/y"].content, "y");
    EXPECT_FALSE(tree.contains("d/x"));
}

TEST_F(Unpack, MissingParentsAreMadeAndAbsoluteNamesAreTakenRelative) {
    auto tree = unpack(make_tar({{"/etc/deep/er/file", file("x")}, {"./b//c/", folder()}}));
    EXPECT_EQ(tree["etc/deep/er/file"].content, "x");
    EXPECT_EQ(tree["etc/deep"].mode, 0755u);
    EXPECT_EQ(tree["b/c"].type, 'd');
}

TEST_F(Unpack, TheRootKeepsItsOwnAttributes) {
    Node root = folder(0700);
    root.uid = 5;
    auto layer = store->unpack(file_with(make_tar({{"./", root}, {"a", file("")}})).get(), {});
    struct stat info {};
    ASSERT_EQ(::stat(store->folder(layer.diff_id).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
    EXPECT_EQ(info.st_uid, 5u);
    EXPECT_EQ(info.st_mtime, root.mtime);
}

TEST_F(Unpack, NamesAreBytesAndNotNormalised) {
    const std::string decomposed = "caf\x65\xcc\x81";
    const std::string record = "path=" + decomposed + "/\xff\n";
    const std::string length = std::to_string(record.size() + 3);
    std::string pax = length + " " + record;
    const std::string padded = pax + std::string(512 - pax.size(), '\0');
    char size[12];
    std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(pax.size()));
    auto tree = unpack(raw_header("pax", 'x', size) + padded + raw_header("short", '0', "00000000000") + tar_end());
    EXPECT_TRUE(tree.contains(decomposed + "/\xff")) << testing::PrintToString(tree);
}

TEST_F(Unpack, SparseFilesKeepTheirHoles) {
    std::string output;
    ASSERT_EQ(run({"truncate", "-s", "16M", path + "/sparse"}), 0);
    Fd fd = open_at(AT_FDCWD, path + "/sparse", O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "middle", 6, 8 << 20), 6);
    ASSERT_EQ(run({"tar", "--sparse", "-C", path, "-cf", path + "/sparse.tar", "sparse"}, &output), 0) << output;
    const std::string tar = read_text(path + "/sparse.tar");
    ASSERT_LT(tar.size(), 1u << 20);
    auto layer = store->unpack(file_with(tar).get(), {});
    struct stat info {};
    ASSERT_EQ(::stat((store->folder(layer.diff_id) + "/sparse").c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 16 << 20);
    EXPECT_LT(info.st_blocks, 2048);
    EXPECT_EQ(read_text(store->folder(layer.diff_id) + "/sparse").substr(8 << 20, 6), "middle");
    EXPECT_LT(layer.size, 1 << 20);
}

// Hostile archives.

TEST_F(Unpack, AnEntryThatLeavesTheLayerIsRefused) {
    for (const char* name :
         {"../outside", "a/../../outside", "..", "a/..", "a/../b/../../outside", "/../outside", "./../outside"}) {
        EXPECT_TRUE(contains(refusal(make_tar({{name, file("evil")}})), std::string("entry \"") + name)) << name;
    }
}

TEST_F(Unpack, ALinkAsAParentLeadsNowhereButIntoTheLayer) {
    for (const std::string& target :
         {path, std::string("missing"), std::string("l"), std::string("f"), std::string("/proc/self/fd")}) {
        for (const Node& what : {file("evil"), folder(), hardlink_to("f")}) {
            EXPECT_TRUE(contains(refusal(make_tar({{"f", file("")}, {"l", symlink_to(target)}, {"l/outside", what}})),
                                 "its parent l is not a folder"))
                << target;
        }
    }
    EXPECT_TRUE(contains(refusal(make_tar({{"f", file("")}, {"f/x", file("evil")}})), "its parent f is not a folder"));
    auto tree = unpack(make_tar({{"l", symlink_to("../..")}, {"l/outside", file("mine")}}));
    EXPECT_EQ(tree["outside"].content, "mine");
    tree = unpack(make_tar({{"l", symlink_to("..")}, {"l/.wh.outside", file("")}}));
    EXPECT_EQ(tree["outside"].type, 'c');
    EXPECT_EQ(read_text(path + "/outside"), "untouched");
}

TEST_F(Unpack, AnEntryBehindALinkOfTheLayerLiesWhereTheLinkLeads) {
    auto tree = unpack(make_tar({{"usr/lib", folder()},
                                 {"lib", symlink_to("usr/lib")},
                                 {"lib/foo", file("foo")},
                                 {"lib/d", folder(0700)},
                                 {"lib/d/e/f", file("f")},
                                 {"lib/.wh.gone", file("")},
                                 {"lib/hard", hardlink_to("lib/foo")},
                                 {"usr/lib64", symlink_to("/lib")},
                                 {"usr/lib64/bar", file("bar")},
                                 {"x/../y", file("y")}}));
    EXPECT_EQ(tree["lib"].type, 'l');
    EXPECT_EQ(tree["usr/lib/foo"].content, "foo");
    EXPECT_EQ(tree["usr/lib/hard"].content, "foo");
    EXPECT_EQ(tree["usr/lib/bar"].content, "bar");
    EXPECT_EQ(tree["usr/lib/d"].mode, 0700u);
    EXPECT_EQ(tree["usr/lib/d"].mtime, folder().mtime);
    EXPECT_EQ(tree["usr/lib/d/e/f"].content, "f");
    EXPECT_EQ(tree["usr/lib/gone"].type, 'c');
    EXPECT_EQ(tree["y"].content, "y");
    EXPECT_EQ(tree.count("x"), 0u);
}

TEST_F(Unpack, WhatALinkLedToCanBeReplacedMeanwhile) {
    auto tree = unpack(make_tar({{"a/b", folder()},
                                 {"l", symlink_to("a")},
                                 {"l/b/one", file("1")},
                                 {"a", file("now a file")},
                                 {"a", folder()},
                                 {"l/b/two", file("2")},
                                 {"l", folder()},
                                 {"l/b/three", file("3")}}));
    EXPECT_EQ(tree.count("a/b/one"), 0u);
    EXPECT_EQ(tree["a/b/two"].content, "2");
    EXPECT_EQ(tree["l/b/three"].content, "3");
}

TEST_F(Unpack, ALinkIsReplacedByTheFileOfItsName) {
    auto tree = unpack(make_tar({{"l", symlink_to(path + "/outside")},
                                 {"l", file("mine")},
                                 {"m", symlink_to("/")},
                                 {"m", folder()},
                                 {"m/x", file("")}}));
    EXPECT_EQ(tree["l"].content, "mine");
    EXPECT_EQ(tree["m"].type, 'd');
    EXPECT_EQ(read_text(path + "/outside"), "untouched");
}

TEST_F(Unpack, AHardLinkStaysInTheLayer) {
    for (const std::string& target : {std::string("../outside"), std::string("missing"), path + "/outside",
                                      std::string("l/outside"), std::string("d"), std::string("")}) {
        Entries entries = {{"d", folder()}, {"l", symlink_to("..")}};
        if (!target.empty()) {
            entries.emplace_back("link", hardlink_to(target));
            EXPECT_TRUE(contains(refusal(make_tar(entries)), "entry \"link\"")) << target;
        } else {
            EXPECT_NE(refusal(raw_header("link", '1', "00000000000") + tar_end()), "accepted");
        }
    }
}

TEST_F(Unpack, AHardLinkToALinkDoesNotFollowIt) {
    auto tree = unpack(make_tar({{"l", symlink_to(path + "/outside")}, {"h", hardlink_to("l")}, {"h", file("mine")}}));
    EXPECT_EQ(tree["h"].content, "mine");
    EXPECT_EQ(tree["l"].type, 'l');
}

TEST_F(Unpack, WhiteoutsOfNothingAreRefused) {
    for (const char* name : {".wh.", ".wh..", ".wh...", "d/.wh..."}) {
        EXPECT_TRUE(contains(refusal(make_tar({{"d", folder()}, {name, file("")}})), "a whiteout of no file")) << name;
    }
}

TEST_F(Unpack, OverlayfsOwnAttributesCannotBeSmuggledIn) {
    for (const char* key : {"trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy"}) {
        for (Node node : {file(""), folder(), symlink_to("x")}) {
            node.xattrs[key] = "y";
            EXPECT_TRUE(contains(refusal(make_tar({{"a", node}})), std::string("the attribute ") + key))
                << key << node.type;
        }
    }
}

TEST_F(Unpack, ATruncatedArchiveIsRefused) {
    const Entries entries = {{"a", file(std::string(50000, 'a'))}, {"b", file(random_hex(20000))}};
    for (Pack pack : {Pack::none, Pack::gzip, Pack::zstd, Pack::xz, Pack::bzip2}) {
        const std::string whole = make_tar(entries, pack);
        for (size_t size : {whole.size() / 2, whole.size() / 4 * 3, size_t{40}}) {
            EXPECT_NE(refusal(whole.substr(0, size)), "accepted") << static_cast<int>(pack) << " cut at " << size;
        }
    }
    const std::string gzip = make_tar(entries, Pack::gzip);
    EXPECT_TRUE(contains(refusal(gzip.substr(0, gzip.size() - 4)), "truncated gzip data"));
}

TEST_F(Unpack, DamagedCompressionIsRefused) {
    for (Pack pack : {Pack::gzip, Pack::zstd, Pack::xz, Pack::bzip2}) {
        const Entries entries = {{"b", file(random_hex(20000))}};
        std::string tar = make_tar(entries, pack);
        tar[tar.size() / 2] = static_cast<char>(tar[tar.size() / 2] ^ 0x55);
        // zstd may come without a checksum; then the diff id tells.
        EXPECT_NE(refusal(tar, Code::invalid_argument, Digest::of(make_tar(entries))), "accepted")
            << static_cast<int>(pack);
    }
}

TEST_F(Unpack, WhatIsNoTarIsRefused) {
    for (const std::string& text :
         {std::string(), std::string("x"), std::string(10000, 'x'), random_hex(5000), std::string("\x1f\x8b")}) {
        EXPECT_NE(refusal(text), "accepted") << text.substr(0, 20);
    }
}

TEST_F(Unpack, AnotherDiffIdThanExpectedIsRefused) {
    const Digest expected = Digest::of("something else");
    try {
        (void)store->unpack(file_with(make_tar({{"a", file("x")}})).get(), expected);
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::invalid_argument);
        EXPECT_TRUE(contains(e.what(), expected.str()));
    }
    EXPECT_TRUE(names_in(path + "/layers").empty());
}

TEST_F(Unpack, BytesAfterTheEndOfTheArchiveCountForTheDiffId) {
    const std::string tar = make_tar({{"a", file("x")}}) + std::string(70000, '\0');
    EXPECT_EQ(store->unpack(file_with(tar).get(), {}).diff_id, Digest::of(tar));
}

TEST_F(Unpack, ALayerOverTheLimitIsRefusedBeforeItFillsTheDisk) {
    const std::string bomb =
        make_tar({{"a", file(std::string(40 << 20, '\0'))}, {"b", file(std::string(40 << 20, '\0'))}}, Pack::gzip);
    ASSERT_LT(bomb.size(), 1u << 20);
    EXPECT_TRUE(contains(refusal(bomb, Code::resource_exhausted), "larger than 67108864 bytes"));
}

TEST_F(Unpack, AbsurdSizesAreRefused) {
    EXPECT_TRUE(contains(
        refusal(raw_header("a", '0', "77777777777") + std::string(512, 'x') + tar_end(), Code::resource_exhausted),
        "larger than"));
    EXPECT_NE(refusal(raw_header("a", '0', std::string(12, '\xff')) + tar_end()), "accepted");
    EXPECT_NE(refusal(raw_header("a", 'x', "77777777777") + std::string(512, 'x') + tar_end()), "accepted");
    EXPECT_NE(refusal(raw_header("a", 'L', "77777777777") + std::string(512, 'x') + tar_end()), "accepted");
}

TEST_F(Unpack, NamesThatAreTooLongAreRefused) {
    EXPECT_NE(refusal(make_tar({{std::string(300, 'n'), file("")}})), "accepted");
    std::string deep;
    for (int i = 0; i < 3000; ++i) deep += "d/";
    EXPECT_NE(refusal(make_tar({{deep + "f", file("")}})), "accepted");
}

TEST_F(Unpack, AnOwnerThatIsNoneIsRefused) {
    const std::string record = "18 uid=4294967295\n";
    std::string padded = record + std::string(512 - record.size(), '\0');
    EXPECT_TRUE(contains(
        refusal(raw_header("pax", 'x', "00000000022") + padded + raw_header("a", '0', "00000000000") + tar_end()),
        "is not a user or group id"));
}

// The store around it.

TEST_F(Unpack, CancellingLeavesNothing) {
    std::stop_source stop;
    stop.request_stop();
    try {
        (void)store->unpack(file_with(make_tar({{"a", file(std::string(1 << 20, 'x'))}})).get(), {}, stop.get_token());
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::cancelled);
    }
    EXPECT_TRUE(names_in(path + "/layers").empty());
}

TEST_F(Unpack, LeftOversAndDamagedFoldersAreRemovedAtTheStart) {
    auto layer = store->unpack(file_with(make_tar({{"a", file("x")}})).get(), {});
    auto other = store->unpack(file_with(make_tar({{"b", file("yy")}})).get(), {});
    ASSERT_EQ(::mkdir((path + "/layers/.tmp-dead").c_str(), 0755), 0);
    write_text(path + "/layers/.tmp-dead/half", "x");
    ASSERT_EQ(::mkdir((path + "/layers/stray").c_str(), 0755), 0);
    write_text(path + "/layers/" + other.diff_id.hex().substr(0, 26) + "/meta.json", "{");
    LayerStore again(path + "/layers", kLimit);
    EXPECT_EQ(again.list(), std::vector<Digest>{layer.diff_id});
    EXPECT_EQ(again.size(layer.diff_id), 1);
    EXPECT_FALSE(again.has(other.diff_id));
    // Somebody may run with the damaged one, until the machine starts anew.
    auto aside = [&] {
        std::vector<std::string> names = names_in(path + "/layers");
        std::erase_if(names, [](const std::string& name) { return !name.starts_with(".damaged-"); });
        return names;
    };
    EXPECT_EQ(names_in(path + "/layers").size(), 2u);
    ASSERT_EQ(aside().size(), 1u);
    EXPECT_EQ(read_text(path + "/layers/" + aside()[0] + "/fs/b"), "yy");
    { LayerStore third(path + "/layers", kLimit); }
    ASSERT_EQ(aside().size(), 1u);
    const std::string of_before = path + "/layers/.damaged-0123456789abcdef-0123456789abcdef";
    ASSERT_EQ(::rename((path + "/layers/" + aside()[0]).c_str(), of_before.c_str()), 0);
    { LayerStore fourth(path + "/layers", kLimit); }
    EXPECT_EQ(aside(), std::vector<std::string>{});
}

TEST_F(Unpack, FolderNamesFitAMountOptionPage) {
    auto layer = store->unpack(file_with(make_tar({{"a", file("x")}})).get(), {});
    const std::string relative = store->folder(layer.diff_id).substr((path + "/layers/").size());
    EXPECT_LT(127 * (relative.size() + 1), 4096u - 250u);
}

TEST_F(Unpack, ALayerOfTheSameShortNameIsAConflict) {
    const std::string tar = make_tar({{"a", file("x")}});
    const Digest diff_id = Digest::of(tar);
    std::string hex = diff_id.hex();
    hex.back() = hex.back() == '0' ? '1' : '0';
    const std::string folder_name = path + "/layers/" + hex.substr(0, 26);
    ASSERT_EQ(::mkdir(folder_name.c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((folder_name + "/fs").c_str(), 0755), 0);
    write_text(folder_name + "/meta.json", "{\"diff_id\":\"sha256:" + hex + "\",\"size\":0}");
    LayerStore again(path + "/layers", kLimit);
    try {
        (void)again.unpack(file_with(tar).get(), diff_id);
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::conflict) << e.what();
    }
}

TEST_F(Unpack, ALeaseKeepsWhatWasComeAcross) {
    auto layer = store->unpack(file_with(make_tar({{"a", file("x")}})).get(), {});
    {
        LayerStore::Lease lease(*store);
        ASSERT_TRUE(store->has(layer.diff_id));
        EXPECT_EQ(store->remove(layer.diff_id), 0);
        EXPECT_TRUE(store->has(layer.diff_id));
    }
    EXPECT_EQ(store->remove(layer.diff_id), 1);
    EXPECT_FALSE(store->has(layer.diff_id));
    EXPECT_TRUE(names_in(path + "/layers").empty());
}
