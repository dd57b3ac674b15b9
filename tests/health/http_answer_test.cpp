#include "health/http_answer.h"
#include "base/error.h"
#include "health/text.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::health;

namespace {

/// The whole text in pieces of this size.
HttpAnswer read(const std::string& text, size_t piece) {
    HttpAnswer answer;
    for (size_t at = 0; at < text.size(); at += piece) answer.take(text.substr(at, piece));
    return answer;
}

}  // namespace

TEST(HttpAnswer, IsTheSameHoweverItIsCutIntoPieces) {
    struct Case {
        const char* text;
        int status;
        const char* words;
        const char* body;
        bool complete;
    };
    for (const Case& c : std::vector<Case>{
             {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell", 200, "200 OK", "well", true},
             {"HTTP/1.0 503 Service Unavailable\n\nno database", 503, "503 Service Unavailable", "no database", false},
             {"HTTP/1.1 404\r\n\r\n", 404, "404", "", false},
             {"HTTP/1.1 204 \r\nX: y\r\n\r\n", 204, "204", "", true},
             {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
              "OK\r\ncontent-length:0\r\n\r\n",
              200, "200 OK", "", true},
             {"HTTP/1.1 500 No\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", 500,
              "500 No", "abc0123456789", true},
             {"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 500, "500 No", "ab", false},
             {"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", 500, "500 No", "", false},
             {"HTTP/1.1 200 OK\r\nContent-Length: x\r\nContent-Length\r\n\r\nab", 200, "200 OK", "ab", false}}) {
        for (size_t piece : {1, 2, 3, 7, 1000}) {
            HttpAnswer answer = read(c.text, piece);
            EXPECT_EQ(answer.status(), c.status) << c.text;
            EXPECT_EQ(answer.status_text(), c.words) << c.text;
            EXPECT_EQ(answer.body(), c.body) << c.text << " in pieces of " << piece;
            EXPECT_EQ(answer.is_complete(), c.complete) << c.text;
        }
    }
}

TEST(HttpAnswer, KnowsItsStatusBeforeItsHeadIsThere) {
    HttpAnswer answer;
    answer.take("HTTP/1.1 20");
    EXPECT_FALSE(answer.status());
    answer.take("0 OK\r\nServer:");
    EXPECT_EQ(answer.status(), 200);
    HttpAnswer interim = read("HTTP/1.1 100 Continue\r\nX: ", 100);
    EXPECT_FALSE(interim.status()) << "only the final one counts";
}

TEST(HttpAnswer, WhatIsNoAnswerIsRefusedAsSoonAsItShows) {
    for (const std::string& text :
         {std::string("SSH-2.0-OpenSSH_9.2\r\n"), std::string("HTTQ"), std::string("\r\n"),
          std::string("HTTP/1.1 2x0 OK\r\n"), std::string("HTTP/1.1 2000 OK\r\n"), std::string("HTTP/1.1 20\r\n"),
          std::string("HTTP/1.1 012 OK\r\n"), std::string("HTTP/11 200 OK\r\n"), std::string("HTTP/1.1\t200 OK\r\n"),
          "HTTP/1.1 200 " + std::string(2000, 'x')}) {
        for (size_t piece : {1, 5000}) {
            try {
                (void)read(text, piece);
                ADD_FAILURE() << "taken: " << text;
            } catch (const Error& e) {
                EXPECT_EQ(e.code(), Code::invalid_argument);
                EXPECT_LT(std::string(e.what()).size(), 200u);
            }
        }
    }
}

TEST(HttpAnswer, WhatNeverEndsIsCutOff) {
    std::string line = "X-Long: " + std::string(1000, 'x') + "\r\n";
    HttpAnswer head = read("HTTP/1.1 500 No\r\n", 100);
    for (int i = 0; i < 20 && !head.is_complete(); ++i) head.take(line);
    EXPECT_TRUE(head.is_complete());
    EXPECT_EQ(head.body(), "");
    HttpAnswer body = read("HTTP/1.1 500 No\r\n\r\n", 100);
    for (int i = 0; i < 20 && !body.is_complete(); ++i) body.take(line);
    EXPECT_TRUE(body.is_complete());
    EXPECT_EQ(body.body().size(), HttpAnswer::kBodyLimit);
    HttpAnswer interim;
    auto flood = [&] {
        for (int i = 0; i < 2000; ++i) interim.take("HTTP/1.1 100 Continue\r\n\r\n");
    };
    EXPECT_THROW(flood(), Error);
}

TEST(Text, IsCutBetweenCharactersAndAlwaysUtf8) {
    EXPECT_EQ(bounded_text("fine", 4), "fine");
    EXPECT_EQ(bounded_text("too long", 7), "too ...");
    EXPECT_EQ(bounded_text("a\xc3\xa4\xc3\xb6\xc3\xbc", 6), "a\xc3\xa4...");
    EXPECT_EQ(bounded_text("a\xff", 10), "a\xef\xbf\xbd");
    EXPECT_EQ(bounded_text(std::string(5000, '\xff'), 4096).size(), 4095u)
        << "whole characters of three bytes, and ...";
    EXPECT_EQ(one_line(" \n a \r\n\t b \x01 ", 100), "a b");
    EXPECT_EQ(one_line("", 100), "");
}
