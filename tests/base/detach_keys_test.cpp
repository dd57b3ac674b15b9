#include "base/detach_keys.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace kedge {
namespace {

TEST(DetachKeys, TheWholeSequenceDetachesHoweverItIsCutUp) {
    DetachKeys usual("");
    EXPECT_EQ(usual.pass("ls\r"), "ls\r");
    EXPECT_EQ(usual.pass("a\x10"), "a") << "kept back: it may be the beginning";
    EXPECT_FALSE(usual.detached());
    EXPECT_EQ(usual.pass("b"),
              "\x10"
              "b")
        << "it was not";
    EXPECT_EQ(usual.pass("\x10\x10"), "\x10") << "the second may be";
    EXPECT_EQ(usual.pass("\x11 more"), "");
    EXPECT_TRUE(usual.detached());
}

TEST(DetachKeys, TheyAreCharactersAndControlCharacters) {
    DetachKeys keys("a,ctrl-[,ctrl-@");
    EXPECT_EQ(keys.pass(std::string("a\x1b\0", 3)), "");
    EXPECT_TRUE(keys.detached());
    for (const char* wrong : {"ctrl-", "ctrl-A", "ctrl-1", "ab", "a,,b", ",", "shift-a", "ctrl-ab"})
        EXPECT_THROW(DetachKeys{wrong}, Error) << wrong;
}

}  // namespace
}  // namespace kedge
