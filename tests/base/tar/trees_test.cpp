// Trees into tars and tars into trees: base/tar.
#include "base/confined.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/tar/tar_to_tree.h"
#include "base/tar/tree_to_tar.h"
#include "tests/runtime/tar_writer.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace kedge;
namespace fs = std::filesystem;

namespace {

/// A folder of its own with a root, and beside it something that nobody may touch.
struct Trees : testing::Test {
    void SetUp() override {
        char name[] = "/tmp/kedge-trees-XXXXXX";
        folder = ::mkdtemp(name);
        fs::create_directories(folder + "/root/in");
        fs::create_directories(folder + "/outside");
        put("outside/secret", "of the host\n");
    }
    void TearDown() override {
        EXPECT_EQ(text("outside/secret"), "of the host\n");
        EXPECT_EQ(std::distance(fs::directory_iterator(folder + "/outside"), {}), 1) << "something was made outside";
        remove_tree(AT_FDCWD, folder);
    }
    void put(const std::string& path, const std::string& data) const { std::ofstream(folder + "/" + path) << data; }
    std::string text(const std::string& path) const { return read_file_at(AT_FDCWD, folder + "/" + path); }

    std::string pack(const std::string& path, const std::string& as, TreeToTar::Options options = {}) const {
        std::string bytes;
        TarWriter tar([&](std::string_view piece) { bytes += piece; });
        TreeToTar(tar, std::move(options)).add(open_at(AT_FDCWD, folder + "/" + path, O_PATH | O_NOFOLLOW), as);
        tar.finish();
        return bytes;
    }
    /// `data/ data/one=4 data/link>x`
    static std::string names(const std::string& bytes) {
        std::string list;
        bool given = false;
        TarReader reader([&] { return std::exchange(given, true) ? std::string_view() : std::string_view(bytes); });
        TarEntry entry;
        while (reader.next(entry)) {
            list += (list.empty() ? "" : " ") + entry.path;
            if (entry.type == TarEntry::Type::file) list += "=" + std::to_string(entry.size);
            if (entry.type == TarEntry::Type::symlink) list += ">" + entry.link;
            if (entry.type == TarEntry::Type::hardlink) list += "&" + entry.link;
        }
        return list;
    }
    void unpack(const std::string& bytes, TarToTree::Options options = {}, const std::string& into = "in") const {
        ConfinedRoot root(AT_FDCWD, folder + "/root");
        TarToTree to(root, into, std::move(options));
        bool given = false;
        extract_tar([&] { return std::exchange(given, true) ? std::string_view() : std::string_view(bytes); }, to);
    }
    std::string refusal(const std::string& bytes, TarToTree::Options options = {}) const {
        try {
            unpack(bytes, std::move(options));
        } catch (const Error& e) {
            return e.what();
        }
        ADD_FAILURE() << "it was not refused";
        return {};
    }
    std::string folder;
};

}  // namespace

TEST_F(Trees, GoThroughATarUnchanged) {
    fs::create_directories(folder + "/tree/sub");
    put("tree/file", std::string(300'000, 'x'));
    put("tree/sub/two", "2\n");
    fs::create_symlink("sub/two", folder + "/tree/link");
    fs::create_hard_link(folder + "/tree/file", folder + "/tree/second");
    put(std::string("tree/not-\xff-utf8"), "b");
    put("tree/ä", "u");
    ASSERT_EQ(::mkfifo((folder + "/tree/pipe").c_str(), 0640), 0);
    ASSERT_EQ(::chmod((folder + "/tree/sub/two").c_str(), 04711), 0);
    ASSERT_EQ(::lchown((folder + "/tree/sub/two").c_str(), 70000, 3'000'000), 0);
    ASSERT_EQ(::chmod((folder + "/tree/sub/two").c_str(), 04711), 0);
    ASSERT_EQ(::setxattr((folder + "/tree/file").c_str(), "user.note", "n\0te", 4, 0), 0);
    timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (folder + "/tree/sub").c_str(), times, 0), 0);
    std::string bytes = pack("tree", "data");
    EXPECT_EQ(names(bytes),
              "data/ data/file=300000 data/link>sub/two data/not-\xff-utf8=1 data/pipe data/second&data/file "
              "data/sub/ data/sub/two=2 data/ä=1");
    unpack(bytes);
    EXPECT_EQ(text("root/in/data/file"), std::string(300'000, 'x'));
    EXPECT_EQ(text("root/in/data/not-\xff-utf8"), "b");
    struct stat info {};
    ASSERT_EQ(::stat((folder + "/root/in/data/sub/two").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 04711u);
    EXPECT_EQ(info.st_uid, 70000u);
    EXPECT_EQ(info.st_gid, 3'000'000u);
    ASSERT_EQ(::stat((folder + "/root/in/data/sub").c_str(), &info), 0);
    EXPECT_EQ(info.st_mtim.tv_sec, 1'000'000'000);
    char value[8];
    EXPECT_EQ(::getxattr((folder + "/root/in/data/second").c_str(), "user.note", value, sizeof value), 4);
    EXPECT_TRUE(fs::is_fifo(folder + "/root/in/data/pipe"));
}

TEST_F(Trees, HaveTheNamesThatWereAskedFor) {
    fs::create_directories(folder + "/tree/sub");
    put("tree/sub/two", "2\n");
    EXPECT_EQ(names(pack("tree", ".")), "./ ./sub/ ./sub/two=2");
    EXPECT_EQ(names(pack("tree", "/")), "/ /sub/ /sub/two=2");
    EXPECT_EQ(names(pack("tree/sub/two", "two")), "two=2");
    TreeToTar::Options options;
    options.leave_out = [](const std::string& path) { return path == "sub/two"; };
    EXPECT_EQ(names(pack("tree", "x", options)), "x/ x/sub/");
}

TEST_F(Trees, OfOverlaysSayWhatWasRemoved) {
    fs::create_directories(folder + "/upper/replaced");
    ASSERT_EQ(::mknod((folder + "/upper/gone").c_str(), S_IFCHR, makedev(0, 0)), 0);
    ASSERT_EQ(::setxattr((folder + "/upper/replaced").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
    TreeToTar::Options options;
    options.overlay_layer = true;
    EXPECT_EQ(names(pack("upper", "u", options)), "u/ u/.wh.gone=0 u/replaced/ u/replaced/.wh..wh..opq=0");
    put("upper/.wh.own", "x");
    EXPECT_THROW(pack("upper", "u", options), Error) << "it would be read as a removal";
}

TEST_F(Trees, OfTheKernelsOwnFileSystemsAreEmpty) {
    EXPECT_EQ(names(pack("../../proc", "proc")), "proc/");
}

TEST_F(Trees, NestedWithoutEndAreRefused) {
    std::string path = folder + "/deep";
    fs::create_directory(path);
    Fd at = open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
        at = open_at(at.get(), "d", O_PATH | O_DIRECTORY);
    }
    EXPECT_THROW(pack("deep", "deep"), Error);
}

TEST_F(Trees, EntriesThatLeadOutsideAreRefusedOrStayInside) {
    auto tar_of = [](const std::function<void(test::TarWriter&)>& fill) {
        test::TarWriter tar;
        fill(tar);
        return tar.finish();
    };
    const std::string outside = folder + "/outside";
    EXPECT_EQ(refusal(tar_of([](auto& tar) { tar.file("../../outside/made", "x"); })),
              "entry \"../../outside/made\": \"../../outside/made\" is outside of \"/in\"");
    EXPECT_NE(refusal(tar_of([](auto& tar) { tar.hard_link("stolen", "../../outside/secret"); })), "");
    // A link to the outside is only a text; the root is where it begins, and there is nothing of that name there.
    unpack(tar_of([&](auto& tar) {
        tar.link("absolute", outside);
        tar.link("climbing", "../../../../../../../.." + outside);
        tar.folder("real");
    }));
    for (const char* name : {"absolute/made", "climbing/made"})
        EXPECT_NE(refusal(tar_of([&](auto& tar) { tar.file(name, "x"); })), "") << name;
    // With such a path inside it is followed there, as the container's own programs would.
    fs::create_directories(folder + "/root" + outside);
    unpack(tar_of([&](auto& tar) { tar.file("absolute/made", "inside"); }));
    EXPECT_EQ(text("root" + outside + "/made"), "inside");
    // What a link leads to is not what an entry of its name replaces.
    fs::create_symlink(outside + "/secret", folder + "/root/in/file");
    unpack(tar_of([](auto& tar) { tar.file("file", "new"); }));
    EXPECT_EQ(text("root/in/file"), "new");
    // Without following, links on the way are in the way.
    TarToTree::Options strict;
    strict.follow_links = false;
    EXPECT_NE(refusal(tar_of([](auto& tar) { tar.file("absolute/made", "x"); }), strict), "");
}

TEST_F(Trees, TypesAreKeptIfThatIsWished) {
    fs::create_directories(folder + "/root/in/folder/x");
    put("root/in/file", "old");
    test::TarWriter over_folder, over_file;
    over_folder.file("folder", "x");
    over_file.folder("file");
    TarToTree::Options keep;
    keep.keep_types = true;
    EXPECT_NE(refusal(over_folder.finish(), keep).find("cannot overwrite directory \"/in/folder\" with non-directory"),
              std::string::npos);
    EXPECT_NE(refusal(over_file.finish(), keep).find("cannot overwrite non-directory \"/in/file\" with directory"),
              std::string::npos);
    unpack(over_folder.finish());
    unpack(over_file.finish());
    EXPECT_EQ(text("root/in/folder"), "x");
    EXPECT_TRUE(fs::is_directory(folder + "/root/in/file"));
}

TEST_F(Trees, BelongToWhomTheyShould) {
    test::TarWriter tar;
    tar.file("file", "x", 04755, 1000, 1000);
    struct stat info {};
    auto look = [&] { ASSERT_EQ(::stat((folder + "/root/in/file").c_str(), &info), 0); };
    unpack(tar.finish());
    look();
    EXPECT_EQ(info.st_uid, 1000u);
    EXPECT_EQ(info.st_mode & 07777, 04755u);
    TarToTree::Options callers;
    callers.own_owner = false;
    unpack(tar.finish(), callers);
    look();
    EXPECT_EQ(info.st_uid, ::geteuid());
    EXPECT_EQ(info.st_mode & 07777, 0755u) << "a set-id bit was meant for another owner";
    TarToTree::Options another;
    another.owner = {7, 8};
    unpack(tar.finish(), another);
    look();
    EXPECT_EQ(info.st_uid, 7u);
    EXPECT_EQ(info.st_gid, 8u);
}

TEST_F(Trees, HaveNoDevicesWhereNoneAreWanted) {
    test::TarWriter tar;
    tar.special("dev", '3');
    tar.file("file", "x");
    std::vector<std::string> left_out;
    TarToTree::Options options;
    options.no_devices = [&](const std::string& path) { left_out.push_back(path); };
    unpack(tar.finish(), options);
    EXPECT_EQ(left_out, std::vector<std::string>{"dev"});
    EXPECT_FALSE(fs::exists(folder + "/root/in/dev"));
    EXPECT_EQ(text("root/in/file"), "x");
}

TEST_F(Trees, ThatAreTruncatedAreRefused) {
    test::TarWriter tar;
    tar.file("file", std::string(100'000, 'x'));
    EXPECT_NE(refusal(tar.finish().substr(0, 50'000)), "");
    EXPECT_NE(refusal("this is no archive at all, however long it may be" + std::string(2000, 'x')), "");
}

TEST_F(Trees, WhoTakesThemMayGiveUp) {
    fs::create_directories(folder + "/tree");
    put("tree/file", std::string(1 << 20, 'x'));
    size_t taken = 0;
    auto give_up = [&](std::string_view piece) {
        if ((taken += piece.size()) > 200'000) throw Error(Code::cancelled, "enough");
    };
    TarWriter tar(give_up);
    try {
        TreeToTar(tar, {}).add(open_at(AT_FDCWD, folder + "/tree", O_PATH), "tree");
        ADD_FAILURE() << "it went on";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::cancelled);
    }
    EXPECT_LT(taken, 400'000u);
}
