#include "api/websocket.h"
#include "base/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace kedge::api {
namespace {

/// A connection whose client has sent all that it will; it comes in pieces of `step` bytes.
struct Wire : Duplex {
    explicit Wire(std::string sent, size_t pieces = 1 << 20) : in(std::move(sent)), step(pieces) {}
    bool write(std::string_view data) override {
        out += data;
        return true;
    }
    size_t read(char* data, size_t size) override {
        const size_t n = std::min({size, step, in.size() - at});
        std::memcpy(data, in.data() + at, n);
        at += n;
        return n;
    }
    void end_reading() override {}
    void hang_up() override {}
    std::string in, out;
    size_t at = 0, step;
};

std::string masked(unsigned first, std::string data, const std::string& mask = "\x11\x22\x33\x44") {
    std::string frame(1, static_cast<char>(first));
    if (data.size() < 126) {
        frame += static_cast<char>(0x80 | data.size());
    } else {
        frame += static_cast<char>(0x80 | 126);
        frame += static_cast<char>(data.size() >> 8);
        frame += static_cast<char>(data.size() & 0xff);
    }
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(data[i] ^ mask[i % 4]);
    return frame + mask + data;
}

std::string read_all(WebSocket& socket) {
    std::string text;
    char data[7];
    while (size_t n = socket.read(data, sizeof data)) text.append(data, n);
    return text;
}

Request opening(std::map<std::string, std::string> more = {}) {
    Request request;
    request.method = "GET";
    request.headers = {{"host", "localhost"},
                       {"upgrade", "WebSocket"},
                       {"connection", "keep-alive, Upgrade"},
                       {"sec-websocket-version", "13"},
                       {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    for (auto& [name, value] : more) request.headers[name] = value;
    return request;
}

Code code_of(const Request& request) {
    try {
        (void)accept_websocket(request);
    } catch (const Error& error) {
        return error.code();
    }
    return Code::internal;
}

TEST(WebSocketOpening, TheKeyIsAnsweredAsTheStandardShows) {
    const Response response = accept_websocket(opening());
    EXPECT_EQ(response.status, 101);
    EXPECT_EQ(response.headers[2].second, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") << "RFC 6455, 1.3";
}

TEST(WebSocketOpening, WhatIsNoneOrAnothersPageIsRefused) {
    EXPECT_EQ(code_of(opening({{"upgrade", "tcp"}})), Code::invalid_argument);
    EXPECT_EQ(code_of(opening({{"connection", "close"}})), Code::invalid_argument);
    for (const char* key : {"", "short==", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25j!Q=="})
        EXPECT_EQ(code_of(opening({{"sec-websocket-key", key}})), Code::invalid_argument) << key;
    const Response old = accept_websocket(opening({{"sec-websocket-version", "8"}}));
    EXPECT_EQ(old.status, 426);
    EXPECT_EQ(old.headers.back().second, "13");
    EXPECT_EQ(code_of(opening({{"origin", "https://evil.example"}})), Code::permission_denied);
    EXPECT_EQ(code_of(opening({{"origin", "null"}})), Code::permission_denied);
    EXPECT_EQ(accept_websocket(opening({{"origin", "http://localhost"}})).status, 101);
}

TEST(WebSocketFrames, MessagesOfEitherKindInPartsAreOneStreamHoweverTheyArrive) {
    const std::string sent = masked(0x81, "one ") + masked(0x02, "two ") + masked(0x00, "thr") + masked(0x89, "p") +
                             masked(0x80, "ee ") + masked(0x82, "") + masked(0x82, std::string(300, 'x')) +
                             masked(0x88, "\x03\xe8");
    for (size_t step : {size_t{1}, size_t{3}, size_t{1000}}) {
        Wire wire(sent, step);
        WebSocket socket(wire);
        EXPECT_EQ(read_all(socket), "one two three " + std::string(300, 'x'));
        EXPECT_EQ(wire.out, std::string("\x8a\x01p\x88\x02\x03\xe8")) << "the ping and the good-bye are answered";
        EXPECT_FALSE(socket.write("late")) << "nothing follows a good-bye";
    }
}

TEST(WebSocketFrames, WhatIsWrittenIsBinaryMessagesOfEveryLength) {
    Wire wire("");
    WebSocket socket(wire);
    EXPECT_TRUE(socket.write("ab"));
    EXPECT_EQ(wire.out,
              "\x82\x02"
              "ab");
    wire.out.clear();
    socket.write(std::string(126, 'x'));
    EXPECT_EQ(wire.out.substr(0, 4), std::string("\x82\x7e\x00\x7e", 4));
    wire.out.clear();
    socket.write(std::string(65536, 'x'));
    EXPECT_EQ(wire.out.substr(0, 10), std::string("\x82\x7f\0\0\0\0\0\x01\0\0", 10));
    wire.out.clear();
    socket.close();
    socket.close();
    EXPECT_EQ(wire.out, std::string("\x88\x02\x03\xe8")) << "once";
}

TEST(WebSocketFrames, WhoBreaksTheRulesIsToldSoAndReadNoMore) {
    const std::string mask = "\1\2\3\4", protocol = "\x88\x02\x03\xea", too_big = "\x88\x02\x03\xf1";
    const std::map<std::string, std::string> cases = {
        {std::string("\x82\x02") + "ab", protocol},                       // not masked
        {masked(0xc2, "a"), protocol},                                    // a reserved bit
        {masked(0x83, "a"), protocol},                                    // an unknown kind
        {masked(0x8b, "a"), protocol},                                    // an unknown kind of control
        {masked(0x80, "a"), protocol},                                    // the rest of nothing
        {masked(0x02, "a") + masked(0x82, "b"), protocol},                // a message within a message
        {masked(0x09, "a"), protocol},                                    // a ping in parts
        {masked(0x89, std::string(126, 'x')), protocol},                  // one that is too long
        {std::string("\x82\xff\x80\0\0\0\0\0\0\0", 10) + mask, too_big},  // 2^63
        {std::string("\x82\xff\0\0\0\0\x7f\0\0\0", 10) + mask, too_big}};
    for (const auto& [sent, answer] : cases) {
        Wire wire(sent + masked(0x82, "never read"));
        WebSocket socket(wire);
        EXPECT_LE(read_all(socket).size(), 1u) << "what came before may be read";
        EXPECT_EQ(wire.out, answer) << testing::PrintToString(sent);
    }
}

TEST(WebSocketFrames, OneThatEndsAnywhereOrIsNoiseEndsTheReading) {
    const std::string whole = masked(0x82, std::string(200, 'x')) + masked(0x89, "ping") + masked(0x81, "end");
    for (size_t cut = 0; cut < whole.size(); ++cut) {
        Wire wire(whole.substr(0, cut));
        WebSocket socket(wire);
        EXPECT_LE(read_all(socket).size(), cut);
    }
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        std::string noise(random() % 200, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        Wire wire(noise);
        WebSocket socket(wire);
        EXPECT_LE(read_all(socket).size(), noise.size());
    }
}

}  // namespace
}  // namespace kedge::api
