#include "base/durable.h"
#include "base/fd.h"
#include "base/folder.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

using namespace kedge;

namespace {

struct TreeSize : testing::Test {
    std::string path = "/tmp/kedge-size-XXXXXX";
    void SetUp() override { ASSERT_NE(::mkdtemp(path.data()), nullptr); }
    void TearDown() override { remove_tree(AT_FDCWD, path); }
    void file(const std::string& name, size_t size) const {
        Fd fd = open_at(AT_FDCWD, path + "/" + name, O_WRONLY | O_CREAT, 0644);
        write_all(fd.get(), std::string(size, 'x'));
    }
    int64_t size() const { return tree_size(AT_FDCWD, path); }
};

}  // namespace

TEST_F(TreeSize, CountsEachFileOnce) {
    EXPECT_EQ(size(), 0);
    file("a", 7);
    make_folders(AT_FDCWD, path + "/inner/inner");
    file("inner/b", 20);
    file("inner/inner/c", 300);
    EXPECT_EQ(size(), 327);
    ASSERT_EQ(::link((path + "/a").c_str(), (path + "/inner/again").c_str()), 0);
    EXPECT_EQ(size(), 327) << "a second name";
}

TEST_F(TreeSize, FollowsNoLinkAndKnowsWhatIsNotThere) {
    file("a", 7);
    ASSERT_EQ(::symlink("/usr", (path + "/usr").c_str()), 0);
    EXPECT_EQ(size(), 7 + 4) << "a link's own length";
    EXPECT_EQ(tree_size(AT_FDCWD, path + "/nosuch"), 0);
    EXPECT_ANY_THROW((void)tree_size(AT_FDCWD, path + "/usr")) << "not what it is asked for";
}

TEST_F(TreeSize, ComesToTheEndOfATreeDeeperThanAnyPath) {
    Fd folder = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    for (int depth = 0; depth < 3000; ++depth) {
        ASSERT_EQ(::mkdirat(folder.get(), "d", 0755), 0);
        folder = open_at(folder.get(), "d", O_RDONLY | O_DIRECTORY);
    }
    write_all(open_at(folder.get(), "deep", O_WRONLY | O_CREAT, 0644).get(), "12345");
    file("a", 7);
    EXPECT_EQ(size(), 12);
}
