#include "api/http_server.h"

#include "api/reply.h"
#include "base/error.h"
#include "tests/api/raw_client.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <latch>
#include <thread>

namespace kedge::api {
namespace {

using test::Answer;
using test::RawClient;
using test::request;
using test::TestServer;
using namespace std::chrono_literals;

Response text(std::string body, int status = 200) {
    Response response;
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

/// `/echo` gives the body back, `/small` takes at most 100 bytes of it, `/ignore` doesn't look at it, `/path` says
/// where it is.
Response echo(const Request& request) {
    if (request.path == "/echo") return text(request.body());
    if (request.path == "/small") return text(request.body(100));
    if (request.path == "/ignore") return text("ignored");
    if (request.path == "/empty") return empty_reply();
    if (request.path == "/throw") throw std::runtime_error("bad \xff thing");
    if (request.path == "/stream") {
        Response response;
        response.stream = [](Writer& writer) {
            for (const char* piece : {"one ", "", "two ", "three"}) writer.write(piece);
        };
        return response;
    }
    if (request.path == "/inject") {
        Response response = text("x");
        response.headers = {{"X-Name", "a\r\nSet-Cookie: b\r\n\r\n<html>"}};
        return response;
    }
    return text(request.method + " " + request.path);
}

std::string chunked(const std::string& chunks, const std::string& path = "/echo") {
    return request("POST", path, "", "Transfer-Encoding: chunked\r\n") + chunks;
}

TEST(HttpServer, ManyRequestsFollowOnOneConnectionEvenWhenSentAtOnce) {
    TestServer server(echo);
    RawClient client = server.client();
    client.send(request("GET", "/a") + request("POST", "/echo", "body") + "\r\n" + chunked("3\r\nabc\r\n0\r\n\r\n") +
                request("GET", "/b"));
    EXPECT_EQ(client.answer().body, "GET /a");
    EXPECT_EQ(client.answer().body, "body");
    EXPECT_EQ(client.answer().body, "abc");
    EXPECT_EQ(client.answer().body, "GET /b");
}

TEST(HttpServer, ABodyThatNobodyReadIsNotTakenForTheNextRequest) {
    TestServer server(echo);
    RawClient client = server.client();
    client.send(request("POST", "/ignore", request("GET", "/smuggled")) + request("GET", "/next"));
    EXPECT_EQ(client.answer().body, "ignored");
    EXPECT_EQ(client.answer().body, "GET /next");
    client.send(request("GET", "/with-body", request("GET", "/smuggled")) + request("GET", "/next"));
    EXPECT_EQ(client.answer().body, "GET /with-body");
    EXPECT_EQ(client.answer().body, "GET /next");
}

TEST(HttpServer, APostThatSaysNothingOfABodyHasNone) {
    TestServer server(echo);
    Answer answer = server.ask(request("POST", "/echo"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "");
}

TEST(HttpServer, MalformedRequestsAreRefusedAndEndTheConnection) {
    TestServer server(echo);
    for (const std::string& bad :
         {std::string("GET\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01\x00\n", 8),
          std::string("GET / HTTP/1.1\nHost: a\n\n"), request("GET", "/%00"),
          request("POST", "/echo", "", "Content-Length: -1\r\n"),
          request("POST", "/echo", "abc", "Transfer-Encoding: chunked\r\n"), std::string("\r\n\r\n\r\n\r\n\r\n")}) {
        RawClient client = server.client();
        client.send(bad + request("GET", "/smuggled"));
        Answer answer = client.answer();
        EXPECT_EQ(answer.status, 400) << bad;
        EXPECT_EQ(answer.headers["Connection"], "close");
        EXPECT_TRUE(nlohmann::json::parse(answer.body).contains("message"));
        EXPECT_EQ(client.rest(), "") << bad;
    }
}

TEST(HttpServer, MalformedChunksAreRefusedAndEndTheConnection) {
    TestServer server(echo);
    for (const char* bad :
         {"-1\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
          "\r\n", "3\nabc\n0\n\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n", "fffffffffffffffff\r\n", "g\r\n",
          "0\r\nTrailer: x\n\r\n", "3;a\nb\r\nabc\r\n0\r\n\r\n"}) {
        RawClient client = server.client();
        client.send(chunked(bad) + request("GET", "/smuggled"));
        EXPECT_EQ(client.answer().status, 400) << bad;
        EXPECT_EQ(client.rest(), "") << bad;
    }
}

TEST(HttpServer, ChunksMayHaveExtensionsAndTrailers) {
    TestServer server(echo);
    RawClient client = server.client();
    EXPECT_EQ(
        client.ask(chunked("3;name=\"v\"\r\nabc\r\n000A\r\n0123456789\r\n0;last\r\nTrailer: x\r\nOther: y\r\n\r\n"))
            .body,
        "abc0123456789");
    EXPECT_EQ(client.ask(request("GET", "/next")).body, "GET /next");
}

TEST(HttpServer, EndlessLinesBetweenChunksAreCutOff) {
    TestServer server(echo);
    for (const char* begin : {"3;", "0\r\n"}) {
        RawClient client = server.client();
        client.send(chunked(begin));
        std::string line(64u << 10, 'a');
        for (int i = 0; i < 64 && client.send(line); ++i) {
        }
        EXPECT_EQ(client.answer().status, 400) << begin;
    }
}

TEST(HttpServer, HugeHeadsAreRefusedWhileTheyCome) {
    TestServer server(echo);
    for (const std::string& begin :
         {std::string("GET /"), std::string("GET / HTTP/1.1\r\nX: "), std::string("GET / HTTP/1.1\r\n")}) {
        RawClient client = server.client();
        client.send(begin);
        std::string more = begin.ends_with("\r\n") ? "A: b\r\n" : "aaaaaa";
        for (int i = 0; i < 100'000 && client.send(more); i += 1) {
        }
        EXPECT_EQ(client.answer().status, 431) << begin;
    }
    EXPECT_EQ(server.ask(request("GET", "/" + std::string(50'000, 'p'))).status, 200) << "a long path is only long";
}

TEST(HttpServer, BodiesLargerThanARouteTakesAreRefused) {
    TestServer server(echo);
    RawClient client = server.client();
    Answer answer = client.ask(request("POST", "/small", std::string(101, 'x')));
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body.find("more than 100 bytes"), std::string::npos);
    EXPECT_EQ(client.ask(request("GET", "/next")).body, "GET /next") << "what is left of a small body is read away";
    client.send(request("POST", "/small", "", "Content-Length: 9000000000000000000\r\n") + std::string(100'000, 'x'));
    answer = client.answer();
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.headers["Connection"], "close") << "nobody reads nine exabytes away";
    EXPECT_TRUE(client.closed_in_time());
    client = server.client();
    std::string big(5u << 20, 'x');
    std::thread sender([&] { client.send(request("POST", "/echo", big)); });
    EXPECT_EQ(client.answer().status, 400) << "four megabytes are the limit of an ordinary body";
    sender.join();
}

TEST(HttpServer, ConnectionsCutInTheMiddleOfABodyAreNotServedAsWhole) {
    std::atomic<int> whole = 0;
    std::latch broken(2);
    TestServer server([&](const Request& request) {
        try {
            (void)request.body();
            ++whole;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), Code::unavailable);
            broken.count_down();
        }
        return text("");
    });
    for (const std::string& part :
         {request("POST", "/", "", "Content-Length: 10\r\n") + "12345", chunked("5\r\n123")}) {
        RawClient client = server.client();
        client.send(part);
        client.hang_up();
    }
    broken.wait();
    EXPECT_EQ(whole, 0);
}

TEST(HttpServer, HeadIsAnsweredWithoutABody) {
    TestServer server(echo);
    RawClient client = server.client();
    client.send(request("HEAD", "/thing"));
    Answer answer = client.answer(true);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers["Content-Length"], "11");
    client.send(request("HEAD", "/stream") + request("GET", "/next"));
    EXPECT_EQ(client.answer(true).status, 200);
    EXPECT_EQ(client.answer().body, "GET /next");
}

TEST(HttpServer, AnyMethodReachesTheHandler) {
    TestServer server(echo);
    for (const char* method : {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PRI", "BREW"}) {
        EXPECT_EQ(server.ask(request(method, "/x")).body, std::string(method) + " /x");
    }
}

TEST(HttpServer, AnswersWithoutContentHaveNone) {
    TestServer server(echo);
    RawClient client = server.client();
    client.send(request("GET", "/empty") + request("GET", "/next"));
    Answer answer = client.answer();
    EXPECT_EQ(answer.status, 204);
    EXPECT_FALSE(answer.headers.contains("Content-Length"));
    EXPECT_FALSE(answer.headers.contains("Content-Type"));
    EXPECT_EQ(client.answer().body, "GET /next");
}

TEST(HttpServer, NoHeaderOfAnAnswerCanBeginAnother) {
    TestServer server(echo);
    Answer answer = server.ask(request("GET", "/inject"));
    EXPECT_EQ(answer.headers["X-Name"],
              "a?"
              "?Set-Cookie: b?"
              "?"
              "?"
              "?<html>");
    EXPECT_FALSE(answer.headers.contains("Set-Cookie"));
    EXPECT_EQ(answer.body, "x");
}

TEST(HttpServer, WhatAHandlerThrowsIsAnErrorBodyEvenIfItIsNotText) {
    TestServer server(echo);
    Answer answer = server.ask(request("GET", "/throw"));
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(nlohmann::json::parse(answer.body)["message"], "bad \xef\xbf\xbd thing");
}

TEST(HttpServer, StreamsAreChunksOrForOldClientsPlainBytes) {
    TestServer server(echo);
    RawClient client = server.client();
    client.send(request("GET", "/stream"));
    EXPECT_EQ(client.until("0\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
              "4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n");
    EXPECT_EQ(client.ask(request("GET", "/next")).body, "GET /next");
    client = server.client();
    client.send("GET /stream HTTP/1.0\r\n\r\n");
    Answer answer = client.answer();
    EXPECT_FALSE(answer.headers.contains("Transfer-Encoding"));
    EXPECT_EQ(answer.headers["Connection"], "close");
    EXPECT_EQ(answer.body, "one two three");
}

TEST(HttpServer, AClientIsToldToGoOnOnlyIfItsBodyIsWanted) {
    TestServer server(echo);
    RawClient client = server.client();
    client.send(request("POST", "/echo", "", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
    EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    EXPECT_EQ(client.answer().body, "body");
    client.send(request("POST", "/ignore", "", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
    Answer answer = client.answer();
    EXPECT_EQ(answer.body, "ignored");
    EXPECT_EQ(answer.headers["Connection"], "close") << "whether the body comes after all is not known";
    EXPECT_TRUE(client.closed_in_time());
}

TEST(HttpServer, EncodedBodiesAreRefused) {
    TestServer server(echo);
    EXPECT_EQ(server.ask(request("POST", "/echo", "body", "Content-Encoding: gzip\r\n")).status, 415);
    EXPECT_EQ(server.ask(request("POST", "/echo", "body", "Content-Encoding: identity\r\n")).body, "body");
}

}  // namespace
}  // namespace kedge::api
