#include "cli/hijack.h"

#include "base/error.h"
#include "base/fd.h"
#include "cli/client.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <thread>

using namespace kedge;
using namespace kedge::cli;

namespace {

/// Answers one connection on a socket of its own.
struct Answering : testing::Test {
    void answer(std::function<void(int)> work) {
        path = "/tmp/kedge-hijack-" + std::to_string(::getpid()) + ".sock";
        ::unlink(path.c_str());
        listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(::listen(listener.get(), 1), 0);
        server = std::jthread([this, work = std::move(work)] {
            Fd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            char piece[4096];
            while (request.find("\r\n\r\n") == std::string::npos) {
                ssize_t n = ::read(connection.get(), piece, sizeof piece);
                if (n <= 0) return;
                request.append(piece, static_cast<size_t>(n));
            }
            work(connection.get());
        });
    }
    void TearDown() override {
        if (server.joinable()) server.join();
        ::unlink(path.c_str());
    }
    static void say(int fd, std::string_view text) { write_all(fd, text); }

    std::string path, request;
    Fd listener;
    std::jthread server;
};

std::string read_to_end(Hijacked& stream) {
    std::string text;
    for (std::string_view piece = stream.read(); !piece.empty(); piece = stream.read()) text += piece;
    return text;
}

}  // namespace

TEST_F(Answering, WhatFollowsTheHeadIsTheStreamHoweverItIsCutUp) {
    answer([](int fd) {
        for (char c : std::string_view("HTTP/1.1 101 UPGRADED\r\nContent-Type: x\r\nUpgrade: tcp\r\n\r"))
            say(fd, {&c, 1});
        say(fd, "\nright behind the head");
        say(fd, ", and later");
    });
    Hijacked stream(path, "/exec/1/start", {{"Detach", false}});
    EXPECT_EQ(read_to_end(stream), "right behind the head, and later");
    server.join();
    EXPECT_EQ(request.find("POST /exec/1/start HTTP/1.1\r\n"), 0u);
    EXPECT_NE(request.find("\r\nContent-Length: 16\r\n"), std::string::npos);
    EXPECT_NE(request.find("\r\nUpgrade: tcp\r\n"), std::string::npos);
}

TEST_F(Answering, BytesGoBothWaysAndEndSeparately) {
    answer([](int fd) {
        say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        std::string heard = read_all(fd, 1000);  // to the end of what the other side writes
        say(fd, "heard " + heard);
    });
    Hijacked stream(path, "/x", nullptr);
    EXPECT_EQ(stream.write_some("a"), 1u);
    EXPECT_EQ(stream.write_some("bc"), 2u);
    stream.end_writing();
    EXPECT_EQ(read_to_end(stream), "heard abc");
}

TEST_F(Answering, TheEndOfOneWhoDidNotReadAllIsAnEnd) {
    answer([](int fd) {
        say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        char first = 0;
        ASSERT_EQ(::read(fd, &first, 1), 1);
        say(fd, "enough");
    });
    Hijacked stream(path, "/x", nullptr);
    EXPECT_EQ(stream.write_some("more than one byte"), 18u);
    server.join();
    EXPECT_EQ(read_to_end(stream), "enough");
    EXPECT_EQ(stream.write_some("nobody is there"), std::nullopt);
}

TEST_F(Answering, AnErrorReplyIsThrown) {
    answer([](int fd) {
        say(fd, "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\ncontent-length: 28\r\n\r\n{\"message\":");
        say(fd, "\"is not running\"}");
    });
    try {
        Hijacked stream(path, "/x", nullptr);
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::conflict);
        EXPECT_STREQ(error.what(), "is not running");
    }
}

TEST_F(Answering, AConnectionThatBreaksOffInTheHeadIsUnavailable) {
    answer([](int fd) { say(fd, "HTTP/1.1 101 UPG"); });
    try {
        Hijacked stream(path, "/x", nullptr);
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::unavailable);
    }
}

TEST(Hijacked, SaysWhereItLookedForAnAgent) {
    EXPECT_THROW(Hijacked("/nonexistent/kedge.sock", "/x", nullptr), Error);
    EXPECT_THROW(Hijacked(std::string(200, 'x'), "/x", nullptr), Error);
}

TEST_F(Answering, AReplyInChunksIsPutTogetherHoweverItIsCutUp) {
    answer([](int fd) {
        for (char c :
             std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789"
                              "\r\n0\r\nTrailer: x\r\n\r\n"))
            say(fd, {&c, 1});
    });
    std::string text;
    Client(path).stream("GET", "/x", {}, [&](std::string_view piece) { text += piece; });
    EXPECT_EQ(text, "abc0123456789");
}

TEST_F(Answering, AReplyThatBreaksOffOrIsNotHttpIsAnError) {
    for (const auto& [reply, code] : std::vector<std::pair<std::string, Code>>{
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Code::unavailable},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", Code::unavailable},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Code::unavailable},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", Code::internal},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", Code::internal},
             {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Code::internal},
             {"HTTP/1.1 200 OK\r\nwithout a colon\r\n\r\n", Code::internal},
             {"SSH-2.0-OpenSSH\r\n\r\n", Code::internal},
             {std::string(70000, 'x'), Code::internal}}) {
        answer([reply = reply](int fd) { (void)!::write(fd, reply.data(), reply.size()); });
        try {
            (void)Client(path).get_text("/x");
            ADD_FAILURE() << "no error: " << reply.substr(0, 100);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), code) << reply.substr(0, 100);
        }
        server.join();
        request.clear();
    }
}

TEST_F(Answering, WhoseUploadIsNotReadToItsEndHearsWhy) {
    answer([](int fd) {
        say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 22\r\n\r\n{\"message\":\"no tar\"}  ");
        ::shutdown(fd, SHUT_RD);
    });
    std::string piece(100000, 'x');
    try {
        Client(path).upload("/x", [&]() -> std::string_view { return piece; }, {});
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "no tar");
    }
}
