#include "base/durable.h"

#include "base/clock.h"
#include "base/confined.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

using namespace kedge;

namespace {

struct Folder : testing::Test {
    std::string path = "/tmp/kedge-test-XXXXXX";
    Fd fd;
    void SetUp() override {
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    }
    void TearDown() override { remove_tree(AT_FDCWD, path); }
};

}  // namespace

TEST_F(Folder, AFileIsReplacedWholeAndLeavesNoTemporaryFile) {
    write_file_durably(fd.get(), "a", "one");
    write_file_durably(fd.get(), "a", "two");
    EXPECT_EQ(read_file_at(fd.get(), "a"), "two");
    EXPECT_EQ(::unlinkat(fd.get(), "a", 0), 0);
    EXPECT_EQ(::rmdir(path.c_str()), 0) << "something is left beside the file";
    ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
}

TEST_F(Folder, WhatACrashedProcessOfTheSameNumberLeftIsNotInTheWay) {
    for (int i = 0; i < 50; ++i) {
        std::string left = "a.tmp-" + std::to_string(::getpid()) + "-" + std::to_string(i);
        write_all(open_at(fd.get(), left, O_WRONLY | O_CREAT, 0600).get(), "half");
    }
    write_file_durably(fd.get(), "a", "one", 0640);
    EXPECT_EQ(read_file_at(fd.get(), "a"), "one");
    struct stat info {};
    ASSERT_EQ(::fstatat(fd.get(), "a", &info, 0), 0);
    EXPECT_EQ(info.st_mode & 0777u, 0640u);
}

TEST_F(Folder, RemovingATreeDoesNotFollowLinks) {
    make_folders(fd.get(), "outside/kept");
    make_folders(fd.get(), "tree/deep/er");
    ASSERT_EQ(::symlinkat("../outside", fd.get(), "tree/link"), 0);
    remove_tree(fd.get(), "tree");
    EXPECT_EQ(::faccessat(fd.get(), "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    EXPECT_EQ(::faccessat(fd.get(), "outside/kept", F_OK, 0), 0);
}

TEST_F(Folder, ATreeDeeperThanThereAreDescriptorsIsRemoved) {
    make_folders(fd.get(), "tree");
    Fd deep = open_at(fd.get(), "tree", O_RDONLY | O_DIRECTORY);
    for (int level = 0; level < 2000; ++level) {
        ASSERT_EQ(::mkdirat(deep.get(), "d", 0755), 0);
        if (level % 500 == 0) {
            make_folders(deep.get(), "beside/it");
            write_all(open_at(deep.get(), "file", O_WRONLY | O_CREAT, 0600).get(), "x");
        }
        deep = open_at(deep.get(), "d", O_RDONLY | O_DIRECTORY);
    }
    deep.reset();
    rlimit before{}, few{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    few = {64, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_NO_THROW(remove_tree(fd.get(), "tree"));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(::faccessat(fd.get(), "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

TEST_F(Folder, ATreeWithManyFoldersSideBySideIsRemoved) {
    make_folders(fd.get(), "tree");
    for (int i = 0; i < 1100; ++i) make_folders(fd.get(), "tree/" + std::to_string(i) + (i % 100 == 0 ? "/in" : ""));
    remove_tree(fd.get(), "tree");
    EXPECT_EQ(::faccessat(fd.get(), "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

TEST_F(Folder, AConfinedPathNeverLeavesItsRoot) {
    make_folders(fd.get(), "root/in");
    write_file_durably(fd.get(), "secret", "s");
    ASSERT_EQ(::symlinkat("../secret", fd.get(), "root/up"), 0);
    ASSERT_EQ(::symlinkat("/in", fd.get(), "root/absolute"), 0);
    ConfinedRoot root(fd.get(), "root");
    EXPECT_THROW(root.open("../secret", O_RDONLY), Error);
    EXPECT_THROW(root.open("up", O_RDONLY), Error);
    write_all(root.open("absolute/file", O_WRONLY | O_CREAT, 0644).get(), "x");
    EXPECT_EQ(read_file_at(fd.get(), "root/in/file"), "x");
    EXPECT_THROW(root.open_strictly("absolute/file", O_RDONLY), Error);
}

TEST_F(Folder, FoldersAreMadeThroughLinksInsideTheRootOnly) {
    make_folders(fd.get(), "root/real");
    make_folders(fd.get(), "outside");
    ASSERT_EQ(::symlinkat("/real", fd.get(), "root/link"), 0);
    ASSERT_EQ(::symlinkat("../../outside", fd.get(), "root/bad"), 0);
    ConfinedRoot root(fd.get(), "root");
    (void)root.make_folders("link/a/b");
    EXPECT_TRUE(root.exists("real/a/b"));
    EXPECT_THROW(root.make_folders("bad/x"), Error);
    EXPECT_EQ(::faccessat(fd.get(), "outside/x", F_OK, 0), -1);
}

TEST(Clock, TimesGoThereAndBack) {
    for (const char* text : {"2026-01-02T03:04:05.000000006Z", "1999-12-31T23:59:59.999999999Z"}) {
        EXPECT_EQ(format_time(parse_time(text)), text);
    }
    EXPECT_EQ(parse_time("2026-01-02T05:04:05+02:00"), parse_time("2026-01-02T03:04:05Z"));
    for (const char* bad :
         {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z"}) {
        EXPECT_THROW(parse_time(bad), Error) << bad;
    }
}

TEST(Clock, YearsThatNanosecondsCantReachAreTheNearestThatTheyCan) {
    for (const char* far : {"9999-12-31T23:59:59Z", "2400-02-29T00:00:00Z", "2263-01-01T00:00:00Z"}) {
        EXPECT_TRUE(format_time(parse_time(far)).starts_with("2189-")) << far << " " << format_time(parse_time(far));
    }
    EXPECT_TRUE(format_time(parse_time("0002-01-01T00:00:00Z")).starts_with("1900-"));
    EXPECT_EQ(from_unix(INT64_MAX), parse_time("2189-12-31T23:59:59Z"));
    EXPECT_EQ(from_unix(INT64_MIN), parse_time("1900-01-01T00:00:00Z"));
    EXPECT_EQ(from_unix(1767323045), parse_time("2026-01-02T03:04:05Z"));
    EXPECT_GT(from_unix(INT64_MAX) - from_unix(INT64_MIN), Nanoseconds(0)) << "their difference fits";
}

TEST(Text, TheBeginningOfATextHasWholeCharacters) {
    EXPECT_EQ(beginning("short", 10), "short");
    EXPECT_EQ(beginning("shorter", 5), "short");
    const std::string mixed = "a\u00e9\u20ac\U0001f600";  // 1, 2, 3 and 4 bytes
    const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t bytes = 0; bytes <= mixed.size(); ++bytes)
        EXPECT_EQ(beginning(mixed, bytes), mixed.substr(0, whole[bytes])) << bytes;
    EXPECT_EQ(beginning(std::string(20, '\x80'), 7).size(), 7u) << "what is no UTF-8 is cut anywhere";
}

TEST(Clock, DurationsAreReadAsComposeWritesThem) {
    using namespace std::chrono;
    EXPECT_EQ(parse_duration("1m30s"), seconds(90));
    EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
    EXPECT_EQ(parse_duration("300ms"), milliseconds(300));
    EXPECT_EQ(format_duration(seconds(90)), "1m30s");
    EXPECT_EQ(format_duration(milliseconds(500)), "500ms");
    EXPECT_EQ(format_duration(parse_duration("1h0m5s")), "1h0m5s");
    for (const char* bad : {"", "s", "5", "5 s", "1x", "1..5s", "-"}) EXPECT_THROW(parse_duration(bad), Error) << bad;
}
