#include "cli/client.h"

#include "base/error.h"
#include "base/fd.h"
#include "cli/image_name.h"
#include "cli/session.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

using namespace kedge;
using namespace kedge::cli;
using nlohmann::json;

TEST(Query, IsEscapedAndLeavesOutWhatIsEmpty) {
    EXPECT_EQ(query({}), "");
    EXPECT_EQ(query({{"a", ""}}), "");
    EXPECT_EQ(query({{"all", "1"}, {"filters", R"({"a":["b c"]})"}}), "?all=1&filters=%7B%22a%22:%5B%22b%20c%22%5D%7D");
    EXPECT_EQ(query({{"changes", "CMD [\"a&b\"]"}, {"changes", "ENV A=b+c"}}),
              "?changes=CMD%20%5B%22a%26b%22%5D&changes=ENV%20A%3Db%2Bc");
    EXPECT_EQ(escape("shop/web:1@sha256:ä"), "shop/web:1@sha256:%C3%A4");
}

TEST(Lines, AreWholeWhereverTheyAreCutUp) {
    for (size_t piece : {1ul, 2ul, 5ul, 100ul}) {
        std::vector<std::string> seen;
        Lines lines([&](const std::string& line) { seen.push_back(line); });
        std::string_view text = "one\r\n\r\ntwo\nthree";
        for (size_t at = 0; at < text.size(); at += piece) lines.take(text.substr(at, piece));
        EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"})) << "the third is not whole yet";
    }
}

TEST(FiltersParameter, CollectsValuesByName) {
    EXPECT_EQ(filters_parameter({}), "");
    EXPECT_EQ(json::parse(filters_parameter({"label=a=b", "label=c", "status=exited"})),
              json({{"label", {"a=b", "c"}}, {"status", {"exited"}}}));
    EXPECT_THROW((void)filters_parameter({"exited"}), Error);
}

TEST(SocketPath, IsTheOptionElseTheEnvironmentElseTheUsualPlace) {
    ::unsetenv("KEDGE_HOST");
    EXPECT_EQ(socket_path(""), "/run/kedge/kedge.sock");
    ::setenv("KEDGE_HOST", "unix:///tmp/a.sock", 1);
    EXPECT_EQ(socket_path(""), "/tmp/a.sock");
    EXPECT_EQ(socket_path("unix:///tmp/b.sock"), "/tmp/b.sock");
    for (const char* bad : {"tcp://127.0.0.1:2375", "/tmp/a.sock", "unix://"})
        EXPECT_THROW((void)socket_path(bad), Error) << bad;
    ::unsetenv("KEDGE_HOST");
}

TEST(ErrorReply, IsTheAgentsMessageCodeAndHint) {
    Error error = error_of_reply(404, R"({"message": "No such container: x", "hint": "kedge ps -a"})");
    EXPECT_STREQ(error.what(), "No such container: x");
    EXPECT_EQ(error.code(), Code::not_found);
    EXPECT_EQ(error.hint(), "kedge ps -a");
    EXPECT_STREQ(error_of_reply(500, "").what(), "the agent answered with status 500");
    EXPECT_STREQ(error_of_reply(502, "<html>").what(), "<html>");
}

TEST(Client, SaysWhereItLookedForAnAgent) {
    try {
        (void)Client("/nonexistent/kedge.sock").get("/version");
        ADD_FAILURE() << "somebody answered";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "cannot connect to the agent at unix:///nonexistent/kedge.sock");
        EXPECT_EQ(error.code(), Code::unavailable);
    }
}

TEST(Client, HearsWhatIsAnsweredToAnUploadThatIsNotReadToItsEnd) {
    std::string path = "/tmp/kedge-upload-" + std::to_string(::getpid()) + ".sock";
    ::unlink(path.c_str());
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    std::jthread server([&] {
        Fd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char some[100];
        EXPECT_GT(::read(connection.get(), some, sizeof some), 0);
        write_all(connection.get(), "HTTP/1.1 400 Bad Request\r\nContent-Length: 21\r\n\r\n{\"message\":\"too bad\"}");
    });
    (void)std::signal(SIGPIPE, SIG_IGN);  // as the command does
    std::string piece(1 << 16, 'x');
    try {
        Client(path).upload(
            "/images/load", [&] { return std::string_view(piece); }, [](std::string_view) {});  // without end
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "too bad");
        EXPECT_EQ(error.code(), Code::invalid_argument);
    }
    ::unlink(path.c_str());
}

TEST(ImageName, IsTakenApartAtItsTagAndDigest) {
    struct Case {
        const char *text, *repository, *tag, *digest, *with_tag, *full;
    };
    for (const Case& c : std::vector<Case>{
             {"busybox", "busybox", "", "", "busybox:latest", "docker.io/library/busybox:latest"},
             {"shop/web:1", "shop/web", "1", "", "shop/web:1", "docker.io/shop/web:1"},
             {"localhost/web", "localhost/web", "", "", "localhost/web:latest", "localhost/web:latest"},
             {"10.0.0.1:5000/web", "10.0.0.1:5000/web", "", "", "10.0.0.1:5000/web:latest", "10.0.0.1:5000/web:latest"},
             {"example.org/a/b:2@sha256:00", "example.org/a/b", "2", "sha256:00", "example.org/a/b:2@sha256:00",
              "example.org/a/b:2@sha256:00"},
             {"busybox@sha256:00", "busybox", "", "sha256:00", "busybox@sha256:00",
              "docker.io/library/busybox@sha256:00"}}) {
        ImageName name = ImageName::parse(c.text);
        EXPECT_EQ(name.repository, c.repository);
        EXPECT_EQ(name.tag, c.tag);
        EXPECT_EQ(name.digest, c.digest);
        EXPECT_EQ(name.with_tag(), c.with_tag);
        EXPECT_EQ(name.full(), c.full);
    }
}
