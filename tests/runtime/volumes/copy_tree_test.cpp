#include "runtime/volumes/copy_tree.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace kedge::runtime {

namespace {

namespace fs = std::filesystem;

struct CopyTree : testing::Test {
    void SetUp() override {
        char name[] = "/tmp/kedge-copy-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        root = name;
        from = root + "/from";
        to = root + "/to";
        make_folders(AT_FDCWD, from);
        make_folders(AT_FDCWD, to);
    }
    void TearDown() override { remove_tree(AT_FDCWD, root); }
    void copy() {
        copy_tree(open_at(AT_FDCWD, from, O_RDONLY | O_DIRECTORY).get(),
                  open_at(AT_FDCWD, to, O_RDONLY | O_DIRECTORY).get());
    }
    static struct stat info(const std::string& path) {
        struct stat info {};
        EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
        return info;
    }
    std::string root, from, to;
};

}  // namespace

TEST_F(CopyTree, EveryKindOfEntryArrivesWithItsAttributes) {
    make_folders(AT_FDCWD, from + "/folder/sub");
    std::ofstream(from + "/folder/file") << "content";
    ASSERT_EQ(::chown((from + "/folder/file").c_str(), 1000, 2000), 0);
    ASSERT_EQ(::chmod((from + "/folder/file").c_str(), 06755), 0);
    fs::create_hard_link(from + "/folder/file", from + "/same");
    fs::create_symlink("/etc/passwd", from + "/link");
    ASSERT_EQ(::lchown((from + "/link").c_str(), 7, 8), 0);
    ASSERT_EQ(::mkfifo((from + "/pipe").c_str(), 0604), 0);
    ASSERT_EQ(::mknod((from + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    ASSERT_EQ(::mknod((from + "/whiteout").c_str(), S_IFCHR, makedev(0, 0)), 0);
    ASSERT_EQ(::chmod((from + "/folder").c_str(), 03711), 0);
    timespec times[2] = {{1000, 5}, {2000, 7}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (from + "/folder").c_str(), times, 0), 0);
    copy();
    EXPECT_EQ(read_file_at(AT_FDCWD, to + "/folder/file"), "content");
    EXPECT_EQ(info(to + "/folder/file").st_mode, static_cast<mode_t>(S_IFREG | 06755));
    EXPECT_EQ(info(to + "/folder/file").st_uid, 1000u);
    EXPECT_EQ(info(to + "/folder/file").st_gid, 2000u);
    EXPECT_EQ(info(to + "/folder/file").st_ino, info(to + "/same").st_ino) << "hard links stay hard";
    EXPECT_EQ(fs::read_symlink(to + "/link"), "/etc/passwd");
    EXPECT_EQ(info(to + "/link").st_uid, 7u);
    EXPECT_EQ(info(to + "/pipe").st_mode, static_cast<mode_t>(S_IFIFO | 0604));
    EXPECT_EQ(info(to + "/null").st_rdev, makedev(1, 3));
    EXPECT_FALSE(fs::exists(fs::symlink_status(to + "/whiteout"))) << "an overlay's own are no content";
    EXPECT_EQ(info(to + "/folder").st_mode, static_cast<mode_t>(S_IFDIR | 03711));
    EXPECT_EQ(info(to + "/folder").st_mtim.tv_sec, 2000);
    EXPECT_EQ(info(to + "/folder").st_mtim.tv_nsec, 7);
}

TEST_F(CopyTree, ExtendedAttributesComeAlongButNotTheOverlays) {
    std::ofstream(from + "/file") << "x";
    // cap_net_bind_service+ep, as setcap writes it.
    const unsigned char capability[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    ASSERT_EQ(::setxattr((from + "/file").c_str(), "security.capability", capability, sizeof capability, 0), 0);
    ASSERT_EQ(::setxattr((from + "/file").c_str(), "trusted.overlay.origin", "x", 1, 0), 0);
    copy();
    char value[64];
    EXPECT_EQ(::getxattr((to + "/file").c_str(), "security.capability", value, sizeof value),
              static_cast<ssize_t>(sizeof capability));
    EXPECT_EQ(::getxattr((to + "/file").c_str(), "trusted.overlay.origin", value, sizeof value), -1);
}

TEST_F(CopyTree, AHoleyOrEmptyOrLongFileArrivesAsItIs) {
    std::ofstream(from + "/empty") << "";
    std::string data(3 << 20, 'x');
    data.back() = 'y';
    std::ofstream(from + "/long") << data;
    Fd holes = open_at(AT_FDCWD, from + "/holes", O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(::ftruncate(holes.get(), 1 << 20), 0);
    copy();
    EXPECT_EQ(info(to + "/empty").st_size, 0);
    EXPECT_TRUE(read_file_at(AT_FDCWD, to + "/long") == data);
    EXPECT_EQ(info(to + "/holes").st_size, 1 << 20);
}

TEST_F(CopyTree, FoldersThatAreNestedWithoutEndAreRefused) {
    std::string folder = from;
    for (int i = 0; i < 300; ++i) fs::create_directory(folder += "/d");
    try {
        copy();
        ADD_FAILURE() << "copied";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::invalid_argument) << e.what();
    }
}

TEST_F(CopyTree, WhatIsThereAlreadyIsNotWrittenOver) {
    std::ofstream(from + "/file") << "new";
    std::ofstream(to + "/file") << "old";
    EXPECT_THROW(copy(), Error);
    EXPECT_EQ(read_file_at(AT_FDCWD, to + "/file"), "old");
    fs::remove(to + "/file");
    fs::create_symlink(root + "/elsewhere", to + "/file");
    EXPECT_THROW(copy(), Error);
    EXPECT_FALSE(fs::exists(root + "/elsewhere")) << "a link in the target is not followed";
}

}  // namespace kedge::runtime
