#include "base/error.h"
#include "runtime/images.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

const std::string kHost(kDefaultRegistry);
const std::string kHex(64, 'a');

}  // namespace

TEST(ReferenceTest, NamesAreNormalisedAsDockerDoes) {
    const std::string at = "@sha256:" + kHex;
    struct {
        std::string text, full, familiar;
    } cases[] = {
        {"busybox", kHost + "/library/busybox:latest", "busybox:latest"},
        {"busybox:1.36", kHost + "/library/busybox:1.36", "busybox:1.36"},
        {"library/busybox", kHost + "/library/busybox:latest", "busybox:latest"},
        {"me/app:v1", kHost + "/me/app:v1", "me/app:v1"},
        {kHost + "/me/app", kHost + "/me/app:latest", "me/app:latest"},
        {kHost + "/busybox", kHost + "/library/busybox:latest", "busybox:latest"},
        {"index." + kHost + "/busybox", kHost + "/library/busybox:latest", "busybox:latest"},
        {"library/a/b", kHost + "/library/a/b:latest", "library/a/b:latest"},
        {"localhost/app", "localhost/app:latest", "localhost/app:latest"},
        {"localhost:5000/app:x", "localhost:5000/app:x", "localhost:5000/app:x"},
        {"registry.test/a/b/c", "registry.test/a/b/c:latest", "registry.test/a/b/c:latest"},
        {"registry.test:443/a__b-c.d---e", "registry.test:443/a__b-c.d---e:latest",
         "registry.test:443/a__b-c.d---e:latest"},
        {"[fe80::1]:5000/app", "[fe80::1]:5000/app:latest", "[fe80::1]:5000/app:latest"},
        {"Registry.test/app", "Registry.test/app:latest", "Registry.test/app:latest"},
        {"busybox" + at, kHost + "/library/busybox" + at, "busybox" + at},
        {"busybox:1" + at, kHost + "/library/busybox:1" + at, "busybox:1" + at},
        {"app:_Tag.with-ALL_9", kHost + "/library/app:_Tag.with-ALL_9", "app:_Tag.with-ALL_9"},
        {"host:5000", kHost + "/library/host:5000", "host:5000"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(Reference::parse(c.text).full(), c.full) << c.text;
        EXPECT_EQ(Reference::parse(c.text).familiar(), c.familiar) << c.text;
        EXPECT_EQ(Reference::parse(Reference::parse(c.text).full()), Reference::parse(c.text)) << c.text;
        EXPECT_EQ(Reference::parse(Reference::parse(c.text).familiar()), Reference::parse(c.text)) << c.text;
    }
}

TEST(ReferenceTest, WhatIsNoNameIsRefused) {
    const std::string bad[] = {"",
                               ":",
                               "@",
                               "/",
                               "a//b",
                               "/a",
                               "a/",
                               "a:",
                               "a:.x",
                               "a:-x",
                               "a: b",
                               "a b",
                               "-a",
                               "a-",
                               "a..b",
                               "a___b",
                               "a_-b",
                               ".a",
                               "a@sha256:abc",
                               "a@sha512:" + kHex,
                               "a@sha256:" + std::string(64, 'A'),
                               "a@" + kHex,
                               "a:b:c",
                               "a:b/c:d/e@",
                               "http://a/b",
                               "a:" + std::string(129, 'x'),
                               "host:port/a",
                               "-host.test/a",
                               "host-.test/a",
                               "host..test/a",
                               "[::1/a",
                               "[]:5000/a",
                               std::string("a\0b", 3),
                               "a\n",
                               "ä",
                               "../a",
                               "a/../b",
                               "registry.test:/a"};
    for (const std::string& text : bad) {
        try {
            (void)Reference::parse(text);
            ADD_FAILURE() << "accepted: " << testing::PrintToString(text);
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument) << text;
            EXPECT_STREQ(e.what(), "invalid reference format") << text;
        }
    }
}

TEST(ReferenceTest, RefusalsSayMoreWhereDockerDoes) {
    auto why = [](const std::string& text) -> std::string {
        try {
            (void)Reference::parse(text);
        } catch (const Error& e) {
            return e.what();
        }
        return "accepted";
    };
    EXPECT_EQ(why("Busybox"), "invalid reference format: repository name (library/Busybox) must be lowercase");
    EXPECT_EQ(why("me/App:v1"), "invalid reference format: repository name (me/App) must be lowercase");
    EXPECT_EQ(why(kHex), "invalid repository name (" + kHex + "), cannot specify 64-byte hexadecimal strings");
    EXPECT_EQ(why("host.test/" + std::string(300, 'a')), "repository name must not be more than 255 characters");
}

TEST(PlatformTest, ArchitecturesHaveManyNamesButOneForm) {
    EXPECT_EQ(Platform::parse("linux/amd64").str(), "linux/amd64");
    EXPECT_EQ(Platform::parse("linux/x86_64").str(), "linux/amd64");
    EXPECT_EQ(Platform::parse("Linux/aarch64").str(), "linux/arm64");
    EXPECT_EQ(Platform::parse("linux/arm64/v8"), Platform::parse("linux/arm64"));
    EXPECT_EQ(Platform::parse("linux/arm/7").str(), "linux/arm/v7");
    EXPECT_EQ(Platform::parse("linux/armhf").str(), "linux/arm/v7");
    EXPECT_EQ(Platform::parse("linux/armel").str(), "linux/arm/v6");
    EXPECT_EQ(Platform::host().os, "linux");
    EXPECT_EQ(Platform::parse(Platform::host().str()), Platform::host());
    for (const char* bad : {"", "linux", "linux/", "/amd64", "linux/amd64/", "linux/a b", "a/b/c/d"}) {
        EXPECT_THROW((void)Platform::parse(bad), Error) << bad;
    }
}
