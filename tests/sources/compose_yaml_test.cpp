#include "base/error.h"
#include "sources/yaml_tree.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::sources::yaml;

namespace {

std::string repeated(const std::string& text, int count) {
    std::string result;
    for (int i = 0; i < count; ++i) result += text;
    return result;
}

/// The tree on one line, types included.
std::string shown(const Node& node) {
    std::string text = node.tag.empty() ? "" : node.tag + " ";
    switch (node.kind) {
        case Kind::null: return text + "null";
        case Kind::boolean: return text + "bool:" + node.text;
        case Kind::integer: return text + "int:" + node.text;
        case Kind::number: return text + "number:" + node.text;
        case Kind::string: return text + "'" + node.text + "'";
        case Kind::sequence:
            text += "[";
            for (const Node& item : node.items) text += shown(item) + ",";
            return text + "]";
        case Kind::map:
            text += "{";
            for (const auto& [key, value] : node.entries) text += key + "=" + shown(value) + ",";
            return text + "}";
    }
    return text;
}

std::string error(const std::string& text) {
    try {
        return "no error: " + shown(parse(text, "f.yaml")).substr(0, 200);
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::invalid_argument);
        return e.what();
    }
}

}  // namespace

TEST(Yaml, ScalarsHaveTheTypesOfTheCoreSchema) {
    const std::pair<const char*, const char*> cases[] = {
        {"a: x", "'x'"},
        {"a:", "null"},
        {"a: ~", "null"},
        {"a: null", "null"},
        {"a: 'null'", "'null'"},
        {"a: true", "bool:true"},
        {"a: 'true'", "'true'"},
        {"a: yes", "'yes'"},
        {"a: no", "'no'"},
        {"a: on", "'on'"},
        {"a: 12", "int:12"},
        {"a: -3", "int:-3"},
        {"a: 0440", "int:0440"},
        {"a: 0x1f", "int:0x1f"},
        {"a: 0o17", "int:0o17"},
        {"a: 0x", "'0x'"},
        {"a: '12'", "'12'"},
        {"a: 1.5", "number:1.5"},
        {"a: 1e3", "number:1e3"},
        {"a: 1.2.3", "'1.2.3'"},
        {"a: 80:80", "'80:80'"},
        {"a: .", "'.'"},
        {"a:\n-", "[null,]"},
        {"a: '-'", "'-'"},
        {"a: 2026-01-01", "'2026-01-01'"},
        {"a: !!str 5", "'5'"},
        {"a: |\n  l\n  m\n", "'l\nm\n'"},
        {"a: >-\n  l\n  m\n", "'l m'"},
        {"a: [1, b]", "[int:1,'b',]"},
        {"a: !reset null", "!reset null"},
        {"a: !reset", "!reset null"},
        {"a: !override [x]", "!override ['x',]"},
        {"a: \"\\u00e9\"", "'é'"},
    };
    for (auto [text, wanted] : cases) EXPECT_EQ(shown(*parse(text, "f").find("a")), wanted) << text;
}

TEST(Yaml, AnchorsAndMergeKeysAreResolved) {
    EXPECT_EQ(shown(parse("a: &x {b: 1}\nc: *x", "f")), "{a={b=int:1,},c={b=int:1,},}");
    EXPECT_EQ(shown(parse("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", "f").entries[1].value), "{c=int:3,b=int:1,}");
    EXPECT_EQ(shown(*parse("d: {c: 3, <<: [{b: 1, c: 9}, {b: 2, e: 4}]}", "f").find("d")),
              "{c=int:3,b=int:1,e=int:4,}");
    EXPECT_EQ(error("d: {<<: 5}"), "f.yaml:1: << takes a map or a list of maps");
    EXPECT_EQ(error("a: *x"), "f.yaml:1: malformed YAML: the referenced anchor is not defined");
}

TEST(Yaml, AValueKnowsItsFileLineAndPath) {
    Node root = parse("a:\n  b:\n    - x\n    - c: y\n", "dir/f.yaml");
    EXPECT_EQ(where(*root.find("a")->find("b")->items[1].find("c")), "dir/f.yaml:4: a.b[1].c");
    Node merged = parse("x: &x\n  k: 1\na:\n  <<: *x\n", "f.yaml");
    EXPECT_EQ(where(*merged.find("a")->find("k")), "f.yaml:2: a.k");
    Node blocks = parse("a:\nb:\n  c: 1\nd:\n  - 1\n", "f.yaml");
    EXPECT_EQ(where(*blocks.find("a")), "f.yaml:1: a") << "the key's line, not the one after it";
    EXPECT_EQ(where(*blocks.find("b")), "f.yaml:2: b");
    EXPECT_EQ(where(*blocks.find("d")), "f.yaml:4: d");
}

TEST(Yaml, WhatIsNoSingleTreeOfNamesIsRefused) {
    EXPECT_EQ(error("a: 1\nb: 2\na: 3"), "f.yaml:3: a: the key is there twice");
    EXPECT_EQ(error("s:\n  w: {i: 1, i: 2}"), "f.yaml:2: s.w.i: the key is there twice");
    EXPECT_EQ(error("a: 1\n---\nb: 2"), "f.yaml:2: more than one document in a file is not supported");
    EXPECT_EQ(error("? [a]\n: 1"), "f.yaml:1: a key must be a string");
    EXPECT_EQ(error("? \n: 1"), "f.yaml:2: a key must be a string");
    EXPECT_EQ(error("a: !foo 1"), "f.yaml:1: the tag !foo is not supported");
    EXPECT_EQ(error("a: [b"), "f.yaml:1: malformed YAML: end of sequence flow not found");
    EXPECT_EQ(error("a: 1\n\tb: 2"), "f.yaml:2: malformed YAML: illegal tab when looking for indentation");
    EXPECT_EQ(error("a: \"\xff\""), "f.yaml:1: is not valid UTF-8");
    EXPECT_EQ(error("a: b\nc: \xed\xa0\x80"), "f.yaml:2: is not valid UTF-8");
    EXPECT_EQ(error(std::string("a: b\0c", 6)), "f.yaml:1: control characters are not allowed");
    EXPECT_EQ(error("a:\n  - \"b\\0c\""), "f.yaml:2: a zero byte is not allowed");
    EXPECT_EQ(error("a: &a [*a]"), "f.yaml:1: an alias refers to the value that it is part of");
    EXPECT_EQ(error("a: &a {<<: *a}"), "f.yaml:1: an alias refers to the value that it is part of");
}

TEST(Yaml, BombsAreRefusedInBoundedTimeAndMemory) {
    std::string billion = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; ++i) {
        billion += fmt::format("a{0}: &a{0} [{1}]\n", i, repeated(fmt::format("*a{},", i - 1), 10));
    }
    EXPECT_NE(error(billion).find("aliases expand to more than"), std::string::npos);
    EXPECT_NE(error("a: &a " + std::string(500000, 'x') + "\nb: [" + repeated("*a,", 90000) + "]")
                  .find("expand to more than"),
              std::string::npos);
    std::string merges = "a0: &a0 {k0: 1}\n";
    for (int i = 1; i < 60; ++i) merges += fmt::format("a{0}: &a{0} {{<<: [*a{1}, *a{1}], k{0}: 1}}\n", i, i - 1);
    EXPECT_NE(error(merges).find("f.yaml:"), std::string::npos) << "each merges the one before twice";
    EXPECT_NE(error(std::string(kFileLimit + 1, ' ')).find("larger than"), std::string::npos);
    EXPECT_NE(error(repeated("- a\n", 200000)).find("more than 100000 values"), std::string::npos);
}

TEST(Yaml, AMessageIsOneLineOfBoundedLength) {
    Node root = parse("\"a\\nb\": x", "f.yaml");
    try {
        fail(root.entries[0].value, "\"x\ny\x1b\" " + std::string(5000, 'z') + "é");
    } catch (const Error& e) {
        std::string message = e.what();
        EXPECT_TRUE(message.starts_with("f.yaml:1: a\\x0ab: \"x\\x0ay\\x1b\" zzz")) << message;
        EXPECT_TRUE(message.ends_with("z...")) << message;
        EXPECT_LT(message.size(), 1100u);
    }
}

TEST(Yaml, DeepNestingIsRefusedAndNeverOverflowsTheStack) {
    for (const char* piece : {"[", "{", "- ", "? ", "{a: ", "[\n", "{["}) {
        std::string text = repeated(piece, 300000 / static_cast<int>(std::string(piece).size()));
        EXPECT_NE(error(text).find("nested deeper"), std::string::npos) << piece;
    }
    for (const char* piece : {"a: ", "&a ", "\"", ":", "[a:", "!", "]", "*a ", "a\n: ", "%", "|\n", "!a ", "@", "\\",
                              "- -", "?\n", "#", "'"}) {
        (void)error(repeated(piece, 300000 / static_cast<int>(std::string(piece).size())));
    }
    std::string stairs;
    for (int i = 0; i < 500; ++i) stairs += std::string(static_cast<size_t>(i), ' ') + "a:\n";
    EXPECT_NE(error(stairs).find("f.yaml:65: is nested deeper than 64 levels"), std::string::npos);
}

TEST(Yaml, AKeyAsLongAsTheFileDoesNotFillMemoryOrTheMessage) {
    std::string text = "? " + std::string(400000, 'k') + "\n: [" + repeated("a,", 50000) + "{b: 1, b: 2}]";
    std::string message = error(text);
    EXPECT_NE(message.find("the key is there twice"), std::string::npos) << message.substr(0, 100);
    EXPECT_LT(message.size(), 1000u);
}
