#include "base/error.h"
#include "health/health.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace kedge;
using namespace kedge::health;

namespace {

std::string refusal(const std::string& label) {
    try {
        (void)NetworkProbe::from_label(label);
        return "taken";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::invalid_argument);
        return e.what();
    }
}

}  // namespace

TEST(NetworkProbe, ALabelNeedsOnlyWhatHasNoDefault) {
    NetworkProbe tcp = NetworkProbe::from_label(R"({"kind":"tcp","port":5432})");
    EXPECT_EQ(tcp.kind, NetworkProbe::Kind::tcp);
    EXPECT_EQ(tcp.port, 5432);
    NetworkProbe http = NetworkProbe::from_label(R"({"kind":"http","port":80})");
    EXPECT_EQ(http.path, "/");
    EXPECT_EQ(http.expected_status_from, 200);
    EXPECT_EQ(http.expected_status_to, 399);
    EXPECT_TRUE(http.headers.empty());
    http = NetworkProbe::from_label(
        R"({"kind":"http","port":8080,"path":"/a?b=%20","status_from":204,"status_to":204,"headers":{"X-Probe":"yes, please"}})");
    EXPECT_EQ(http.path, "/a?b=%20");
    EXPECT_EQ(http.expected_status_from, 204);
    EXPECT_EQ(http.expected_status_to, 204);
    EXPECT_EQ(http.headers, (std::map<std::string, std::string>{{"X-Probe", "yes, please"}}));
}

TEST(NetworkProbe, TheSameProbeGivesTheSameLabel) {
    NetworkProbe probe;
    probe.port = 5432;
    EXPECT_EQ(probe.to_label(), R"({"kind":"tcp","port":5432})");
    probe.kind = NetworkProbe::Kind::http;
    probe.headers = {{"B", "2"}, {"A", "1"}};
    EXPECT_EQ(
        probe.to_label(),
        R"({"headers":{"A":"1","B":"2"},"kind":"http","path":"/","port":5432,"status_from":200,"status_to":399})");
}

RC_GTEST_PROP(NetworkProbe, ComesBackFromItsLabel, ()) {
    auto word = rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('a', 'z')));
    NetworkProbe probe;
    probe.port = static_cast<uint16_t>(*rc::gen::inRange(1, 65536));
    if (*rc::gen::arbitrary<bool>()) {
        probe.kind = NetworkProbe::Kind::http;
        probe.path = "/" + *word + "?\"\\=%" + *word;
        probe.expected_status_from = *rc::gen::inRange(100, 600);
        probe.expected_status_to = *rc::gen::inRange(probe.expected_status_from, 600);
        probe.headers = *rc::gen::container<std::map<std::string, std::string>>(word, word);
    }
    RC_ASSERT(NetworkProbe::from_label(probe.to_label()) == probe);
}

RC_GTEST_PROP(NetworkProbe, AnyTextIsALabelOrRefused, (const std::string& text)) {
    try {
        (void)NetworkProbe::from_label(text);
    } catch (const Error& e) {
        RC_ASSERT(e.code() == Code::invalid_argument);
    }
}

TEST(NetworkProbe, WhatIsWrongWithALabelIsNamed) {
    auto http = [](const std::string& more) { return R"({"kind":"http","port":80,)" + more + "}"; };
    struct Case {
        std::string label, words;
    };
    for (const Case& c :
         std::vector<Case>{{"", "not JSON"},
                           {"{", "not JSON"},
                           {"[1]", "[1] is not an object"},
                           {std::string(100000, '['), "not JSON"},
                           {"{}", "kind is missing"},
                           {R"({"kind":"tcp"})", "port is missing"},
                           {R"({"port":80})", "kind is missing"},
                           {R"({"kind":"udp","port":80})", R"(kind: "udp" is neither "http" nor "tcp")"},
                           {R"({"kind":7,"port":80})", "kind: 7 is neither"},
                           {R"({"kind":"tcp","port":0})", "port: 0 is not a number from 1 to 65535"},
                           {R"({"kind":"tcp","port":65536})", "port: 65536 is not"},
                           {R"({"kind":"tcp","port":-1})", "port: -1 is not"},
                           {R"({"kind":"tcp","port":80.0})", "port: 80.0 is not"},
                           {R"({"kind":"tcp","port":"80"})", R"(port: "80" is not)"},
                           {R"({"kind":"tcp","port":18446744073709551615})", "port: 18446744073709551615 is not"},
                           {R"({"kind":"tcp","port":80,"path":"/"})", R"(unknown key "path")"},
                           {http(R"("Path":"/")"), R"(unknown key "Path")"},
                           {http(R"("path":"health")"), R"(path: "health" is not a path)"},
                           {http(R"("path":"/a b")"), "is not a path"},
                           {http(R"("path":"/\r\nX: y")"), R"(path: "/\r\nX: y" is not a path)"},
                           {http(R"("path":7)"), "path: 7 is not a path"},
                           {http(R"("status_from":99)"), "status_from: 99 is not a number from 100 to 599"},
                           {http(R"("status_to":600)"), "status_to: 600 is not"},
                           {http(R"("status_from":400)"), "status_to: 399 is less than status_from, 400"},
                           {http(R"("headers":["a"])"), R"(headers: ["a"] is not an object)"},
                           {http(R"("headers":{"a b":"c"})"), R"(headers: "a b" is not a header's name)"},
                           {http(R"("headers":{"":"c"})"), "is not a header's name"},
                           {http(R"("headers":{"a":1})"), "headers.a: 1 is not a header's value"},
                           {http(R"("headers":{"a":"x\r\ny"})"), R"(headers.a: "x\r\ny" is not a header's value)"}}) {
        std::string words = refusal(c.label);
        EXPECT_TRUE(words.starts_with("io.kedge.probe: ")) << words;
        EXPECT_NE(words.find(c.words), std::string::npos) << c.label.substr(0, 100) << ": " << words;
        EXPECT_LT(words.size(), 300u);
    }
}

TEST(NetworkProbe, WhatIsNoUtf8GivesNoLabel) {
    NetworkProbe probe;
    probe.kind = NetworkProbe::Kind::http;
    probe.path = "/\xff";
    EXPECT_THROW(probe.to_label(), Error);
}
