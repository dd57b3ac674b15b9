#include "base/error.h"
#include "sources/compose.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

using namespace kedge;
using namespace kedge::sources;
using Map = std::map<std::string, std::string>;

static Map parse(const std::string& text, const Map& environment = {}) {
    return parse_env_file(text, ".env", environment);
}

TEST(EnvFile, LinesAreReadAsComposeReadsThem) {
    const std::pair<const char*, Map> cases[] = {
        {"", {}},
        {"\n# comment\n   # another\n\n", {}},
        {"A=1", {{"A", "1"}}},
        {"A=1\nB=2\n", {{"A", "1"}, {"B", "2"}}},
        {"A=1\r\nB=2\r\n", {{"A", "1"}, {"B", "2"}}},
        {"\xef\xbb\xbf"
         "A=1",
         {{"A", "1"}}},
        {"export A=1\nexport\tB=2", {{"A", "1"}, {"B", "2"}}},
        {"A = 1 ", {{"A", "1"}}},
        {"A: 1", {{"A", "1"}}},
        {"A=", {{"A", ""}}},
        {"A=\nB=2", {{"A", ""}, {"B", "2"}}},
        {"A=a b c", {{"A", "a b c"}}},
        {"A=a # comment", {{"A", "a"}}},
        {"A=a#b", {{"A", "a#b"}}},
        {"A=# comment", {{"A", ""}}},
        {"A=b=c", {{"A", "b=c"}}},
        {"A='a # b'", {{"A", "a # b"}}},
        {"A='$B'", {{"A", "$B"}}},
        {"A='Let\\'s go'", {{"A", "Let's go"}}},
        {"A='a\\nb'", {{"A", "a\\nb"}}},
        {"A=\"a\\nb\\t\\\"c\\\\\"", {{"A", "a\nb\t\"c\\"}}},
        {"A=\"a\nb\"\nB=2", {{"A", "a\nb"}, {"B", "2"}}},
        {"A=\"x\" # comment\nB=2", {{"A", "x"}, {"B", "2"}}},
        {"A=1\nB=$A-${A}", {{"A", "1"}, {"B", "1-1"}}},
        {"A=1\nB=\"${A}\"", {{"A", "1"}, {"B", "1"}}},
        {"B=${NONE:-d}", {{"B", "d"}}},
        {"B=\"\\$A\"", {{"B", "$A"}}},
        {"B=$$A", {{"B", "$A"}}},
        {"A=1\nA=2", {{"A", "2"}}},
        {"a.b-c_D9=1", {{"a.b-c_D9", "1"}}},
        {"A={\"x\": 1}", {{"A", "{\"x\": 1}"}}},
        {"NONE\nA=1", {{"A", "1"}}},
        {"A=\"\"\nB=''", {{"A", ""}, {"B", ""}}},
        {"exported=1", {{"exported", "1"}}},
    };
    for (const auto& [text, wanted] : cases) EXPECT_EQ(parse(text), wanted) << text;
}

TEST(EnvFile, TheEnvironmentGoesBeforeTheFileInVariablesAndFillsNamesAlone) {
    EXPECT_EQ(parse("A=file\nB=$A\nC", {{"A", "shell"}, {"C", "given"}}),
              (Map{{"A", "file"}, {"B", "shell"}, {"C", "given"}}));
}

TEST(EnvFile, AMalformedLineIsNamedWithItsNumber) {
    auto message = [](const char* text) {
        try {
            parse(text);
            return std::string();
        } catch (const Error& e) {
            return std::string(e.what());
        }
    };
    EXPECT_EQ(message("A=1\n\n=x\n"), ".env:3: \"=x\" is not a variable");
    EXPECT_EQ(message("A B=1"), ".env:1: \"A B=1\" is not a variable");
    EXPECT_EQ(message("A=1\nB='x\ny"), ".env:2: the value of B has no closing quote");
    EXPECT_EQ(message("A=\"x\\\""), ".env:1: the value of A has no closing quote");
    EXPECT_EQ(message("A='x'y"), ".env:1: unexpected text after the quoted value of A");
    EXPECT_EQ(message("A=${x"), ".env:1: invalid interpolation format: \"${x\"");
    EXPECT_EQ(message("A=\"one\ntwo\"\nB=${N:?no}"), ".env:3: required variable N is missing a value: no");
    EXPECT_NE(message("\"A\"=1"), "");
    EXPECT_EQ(message("A=1\nB=\xff"), ".env:1: is not valid UTF-8");
    EXPECT_EQ(message("\x01=1"), ".env:1: \"\\x01=1\" is not a variable");
}

TEST(EnvFile, ValuesThatGrowWithoutEndAreRefused) {
    std::string text = "A0=xxxxxxxxxx\n";
    for (int i = 1; i < 12; ++i) {
        std::string before = "$A" + std::to_string(i - 1), line = "A" + std::to_string(i) + "=";
        for (int j = 0; j < 10; ++j) line += before + "${EMPTY}";
        text += line + "\n";
    }
    EXPECT_THROW(parse(text), Error);
}

TEST(EnvFile, WhateverTheBytesItIsReadOrRefused) {
    EXPECT_TRUE(rc::check([](const std::string& text) {
        try {
            (void)parse(text);
        } catch (const Error&) {
        }
    }));
    const std::string alphabet = "A=b'\"\\\n$#{}: ";
    EXPECT_TRUE(rc::check([&](const std::vector<unsigned char>& picks) {
        std::string text;
        for (unsigned char pick : picks) text += alphabet[pick % alphabet.size()];
        try {
            (void)parse(text);
        } catch (const Error&) {
        }
    }));
}

TEST(EnvFile, ASingleQuotedValueComesBackWhole) {
    EXPECT_TRUE(rc::check([](std::string value) {
        std::erase_if(
            value, [](char c) { return c == '\'' || c == '\\' || c == '\0' || static_cast<unsigned char>(c) > 0x7e; });
        RC_ASSERT(parse("A='" + value + "'").at("A") == value);
    }));
}

TEST(ProjectName, IsNormalisedAsComposeDoes) {
    for (auto [given, wanted] : {std::pair{"Shop", "shop"},
                                 {"my.app", "myapp"},
                                 {"_-x", "x"},
                                 {"a b", "ab"},
                                 {"Ünï", "n"},
                                 {"", ""},
                                 {"9-x_", "9-x_"},
                                 {"...", ""}}) {
        EXPECT_EQ(normalize_project_name(given), wanted) << given;
    }
}
