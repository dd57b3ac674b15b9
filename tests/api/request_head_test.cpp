#include "api/request_head.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace kedge::api {
namespace {

std::string get(const std::string& target, const std::string& headers = {}) {
    return "GET " + target + " HTTP/1.1\r\nHost: kedge\r\n" + headers + "\r\n";
}

RequestHead with(const std::string& headers) {
    return parse_head("POST / HTTP/1.1\r\nHost: kedge\r\n" + headers + "\r\n");
}

TEST(RequestHead, PathAndQueryAreDecoded) {
    RequestHead head = parse_head(get("/images/a%2Fb%3A1/json?filters=%7B%7D&name=two+words&all&x=1&x=2#part"));
    EXPECT_EQ(head.method, "GET");
    EXPECT_EQ(head.path, "/images/a/b:1/json");
    EXPECT_EQ(head.query.find("filters")->second, "{}");
    EXPECT_EQ(head.query.find("name")->second, "two words");
    EXPECT_EQ(head.query.find("all")->second, "");
    EXPECT_EQ(head.query.count("x"), 2u);
    EXPECT_EQ(parse_head(get("/a+b")).path, "/a+b") << "a plus is a space in queries only";
    EXPECT_EQ(parse_head(get("http://kedge/info?x=1")).path, "/info") << "the absolute form";
    EXPECT_EQ(parse_head(get("http://kedge")).path, "/");
}

TEST(RequestHead, HeaderValuesAreTakenAsTheyAre) {
    RequestHead head = with("X-Token: \t a%0d%0ab%41 \t\r\nEMPTY:\r\nX-Many: a\r\nx-many: b\r\nUtf: \xc3\xa4\xff\r\n");
    EXPECT_EQ(head.headers.at("x-token"), "a%0d%0ab%41");
    EXPECT_EQ(head.headers.at("empty"), "");
    EXPECT_EQ(head.headers.at("x-many"), "a, b");
    EXPECT_EQ(head.headers.at("utf"), "\xc3\xa4\xff");
}

TEST(RequestHead, ConnectionsAreKeptAsTheVersionAndTheClientSay) {
    EXPECT_TRUE(with("").keep_alive);
    EXPECT_FALSE(with("Connection: close\r\n").keep_alive);
    EXPECT_FALSE(with("Connection: upgrade, Close\r\n").keep_alive);
    EXPECT_FALSE(parse_head("GET / HTTP/1.0\r\n\r\n").keep_alive);
    EXPECT_FALSE(parse_head("GET / HTTP/1.0\r\n\r\n").can_chunk);
    EXPECT_TRUE(parse_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(RequestHead, TheBodyIsFramedByLengthOrByChunksOrThereIsNone) {
    EXPECT_EQ(with("").length, 0u);
    EXPECT_FALSE(with("").chunked) << "a POST that says nothing of a body has none";
    EXPECT_EQ(with("Content-Length: 0042\r\n").length, 42u);
    EXPECT_TRUE(with("Transfer-Encoding: Chunked\r\n").chunked);
    EXPECT_TRUE(with("Expect: 100-Continue\r\nContent-Length: 1\r\n").expects_continue);
}

class MalformedHead : public testing::TestWithParam<std::string> {};

TEST_P(MalformedHead, IsRefusedAsAnInvalidArgument) {
    try {
        parse_head(GetParam());
        FAIL() << "was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::invalid_argument);
    }
}

std::string host(const std::string& headers) {
    return "POST / HTTP/1.1\r\nHost: kedge\r\n" + headers + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    RequestLines, MalformedHead,
    testing::Values("\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
                    " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
                    "GET / HTTP/1.11\r\nHost: a\r\n\r\n", "GET / http/1.1\r\nHost: a\r\n\r\n",
                    "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                    "CONNECT kedge:80 HTTP/1.1\r\nHost: a\r\n\r\n", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
                    std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28), get("/a\x01b"), get("/a\x7f"), get("/%"),
                    get("/%4"), get("/%zz"), get("/%+1"), get("/%00"), get("/a%0d%0aX: y"), get("/%7f"), get("/?a=%"),
                    get("/?a=%00"), get("/?%g1=a")));

INSTANTIATE_TEST_SUITE_P(Headers, MalformedHead,
                         testing::Values(host("no colon\r\n"), host(": nothing\r\n"), host("A : b\r\n"),
                                         host(" folded\r\n"), host("A: b\r\n folded\r\n"), host("A\x01: b\r\n"),
                                         host("A: b\x01\r\n"), host("A: b\rc\r\n"), host(std::string("A: b\0c\r\n", 8)),
                                         "GET / HTTP/1.1\r\n\r\n", host("Host: other\r\n")));

INSTANTIATE_TEST_SUITE_P(
    Framing, MalformedHead,
    testing::Values(host("Content-Length: -1\r\n"), host("Content-Length: +1\r\n"), host("Content-Length: 0x10\r\n"),
                    host("Content-Length: 1e3\r\n"), host("Content-Length:\r\n"), host("Content-Length: 1 2\r\n"),
                    host("Content-Length: 18446744073709551616\r\n"), host("Content-Length: 9223372036854775808\r\n"),
                    host("Content-Length: 1\r\nContent-Length: 1\r\n"), host("Content-Length: 1, 1\r\n"),
                    host("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), host("Transfer-Encoding: gzip\r\n"),
                    host("Transfer-Encoding: gzip, chunked\r\n"), host("Transfer-Encoding: chunked, chunked\r\n"),
                    host("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                    host("Transfer-Encoding: x-chunked\r\n"), host("Transfer-Encoding:\r\n"),
                    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", host("Expect: a-miracle\r\n")));

TEST(RequestHead, MoreThanTwoHundredHeadersAreRefused) {
    std::string some, many;
    for (int i = 0; i < 199; ++i) some += "X-" + std::to_string(i) + ": 1\r\n";
    many = some + "One: 1\r\n";
    EXPECT_EQ(with(some).headers.size(), 200u);
    EXPECT_THROW(with(many), Error);
}

}  // namespace
}  // namespace kedge::api
