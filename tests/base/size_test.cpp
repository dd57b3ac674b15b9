#include "base/size.h"
#include "base/loopback.h"
#include "base/secret.h"
#include "base/text.h"

#include "base/durable.h"
#include "base/error.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace kedge;

TEST(Sizes, AreReadInEveryFormThatDockerAndComposeKnow) {
    const std::pair<const char*, int64_t> cases[] = {
        {"0", 0},
        {"1048576", 1048576},
        {"1b", 1},
        {"64k", 65536},
        {"64KB", 65536},
        {"64KiB", 65536},
        {"512m", 512 << 20},
        {"1.5g", 1536 << 20},
        {"2 gb", int64_t{2} << 30},
        {"1t", int64_t{1} << 40},
        {".5k", 512},
    };
    for (auto [text, bytes] : cases) EXPECT_EQ(parse_size(text), bytes) << text;
}

TEST(Sizes, WhatIsNoneIsNoSize) {
    for (const char* text :
         {"", "k", "b", "-1", "1kk", "1x", "1 k b", "1e3", "inf", "nan", "0x10", "9999999999g", "ib"})
        EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Loopback, IsWhatNobodyElseCanBe) {
    for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"})
        EXPECT_TRUE(is_loopback(host)) << host;
    for (const char* host :
         {"127.0.0.1.example.org", "127.example.org", "localhost.example.org", "128.0.0.1", "::2", "", "[127.0.0.1"})
        EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(Split, GivesOnePartMoreThanThereAreSeparators) {
    using Parts = std::vector<std::string>;
    EXPECT_EQ(split("", ','), Parts({""}));
    EXPECT_EQ(split("a", ','), Parts({"a"}));
    EXPECT_EQ(split(",a,,b,", ','), Parts({"", "a", "", "b", ""}));
}

TEST(Secrets, AreReadWithoutTheirLineEndAndOnlyIfOthersCanNot) {
    std::string path = "/tmp/kedge-secret-" + std::to_string(::getpid());
    auto code = [&](mode_t mode, const std::string& text) {
        write_file_durably(AT_FDCWD, path, text, mode);
        try {
            return read_secret(path) == "correct horse" ? std::string("read") : std::string("wrong");
        } catch (const Error& e) {
            return std::string(to_string(e.code()));
        }
    };
    EXPECT_EQ(code(0600, "correct horse\r\n"), "read");
    EXPECT_EQ(code(0640, "correct horse"), "read") << "a group may be meant to";
    EXPECT_EQ(code(0604, "correct horse"), "permission_denied");
    EXPECT_EQ(code(0600, "\n"), "invalid_argument");
    ASSERT_EQ(::unlink(path.c_str()), 0);
    EXPECT_THROW(check_private(path), Error);
}
