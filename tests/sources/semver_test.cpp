#include "sources/semver.h"

#include "base/error.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::sources;

TEST(Semver, VersionsAreOrderedAsTheSpecificationSays) {
    const char* ascending[] = {"0.9.9",      "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                               "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                               "v1.0.0",     "1.0.1",        "1.2.0",         "2.0.0"};
    for (size_t i = 1; i < std::size(ascending); ++i) {
        EXPECT_LT(*Version::parse(ascending[i - 1]), *Version::parse(ascending[i])) << ascending[i];
    }
    EXPECT_EQ(*Version::parse("1.0.0+a"), *Version::parse("v1.0.0+b"));
}

TEST(Semver, WhatIsNoVersionIsNotRead) {
    for (const char* bad : {"", "1", "1.2", "1.2.3.4", "1.02.3", "1.2.x", "release", "1.2.3-", "1.2.3-a..b",
                            "99999999999999999999.0.0"}) {
        EXPECT_FALSE(Version::parse(bad)) << bad;
    }
}

TEST(Semver, RangesHoldWhatTheySay) {
    struct Case {
        const char* range;
        const char* inside;
        const char* outside;
    };
    const Case cases[] = {
        {"^1.2", "1.9.9", "2.0.0"},
        {"^1.2", "1.2.0", "1.1.9"},
        {"^0.2.3", "0.2.9", "0.3.0"},
        {"^0.0.3", "0.0.3", "0.0.4"},
        {"~1.2.3", "1.2.9", "1.3.0"},
        {"~1", "1.9.0", "2.0.0"},
        {">=1.0 <2.0", "1.5.0", "2.0.0"},
        {">= 1.0, < 2.0", "1.0.0", "0.9.0"},
        {"1.x", "1.7.1", "2.0.0"},
        {"*", "7.0.0", "7.0.0-rc.1"},
        {"1.2 - 1.4", "1.4.9", "1.5.0"},
        {"1.2.3 || ^3", "3.1.0", "2.0.0"},
        {"<=1.2", "1.2.9", "1.3.0"},
        {">1.2", "1.3.0", "1.2.9"},
        {"1.2.3", "1.2.3", "1.2.4"},
        {"!=1.2.3", "1.2.4", "1.2.3"},
        {"^1.0.0-rc.1", "1.0.0-rc.2", "1.1.0-rc.1"},
    };
    for (const Case& c : cases) {
        VersionRange range = VersionRange::parse(c.range);
        EXPECT_TRUE(range.contains(*Version::parse(c.inside))) << c.range << " " << c.inside;
        EXPECT_FALSE(range.contains(*Version::parse(c.outside))) << c.range << " " << c.outside;
    }
}

TEST(Semver, AMalformedRangeIsAnError) {
    for (const char* bad : {"", " ", "^", ">=", "1.2.3.4", "latest", "1.2 -", "|| 1", "=>1", "1.x.3"}) {
        EXPECT_THROW(VersionRange::parse(bad), Error) << bad;
    }
}
