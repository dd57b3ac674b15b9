#include "api/http_server.h"
#include "base/durable.h"
#include "base/error.h"
#include "tests/api/raw_client.h"
#include "tests/support/loopback.h"

#include <grp.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace kedge::api {
namespace {

using test::RawClient;
using test::request;

Handler fixed(const std::string& text) {
    return [text](const Request&) {
        Response response;
        response.body = text;
        return response;
    };
}

Code code_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return Code::internal;
}

class UnixListener : public testing::Test {
public:
    void SetUp() override { make_folders(AT_FDCWD, folder, 0700); }
    void TearDown() override { remove_tree(AT_FDCWD, folder); }
    struct stat status(const std::string& file) const {
        struct stat result {};
        EXPECT_EQ(::lstat(file.c_str(), &result), 0) << file;
        return result;
    }
    bool exists(const std::string& file) const { return ::access(file.c_str(), F_OK) == 0; }

    std::string folder = "/tmp/kedge-listener-" + std::to_string(::getpid());
    std::string path = folder + "/kedge.sock";
};

TEST_F(UnixListener, HasTheModeAndGroupThatWereAskedFor) {
    HttpServer server({}, fixed("x"));
    server.serve(Listener::on_unix(path, 0660, "daemon"));
    EXPECT_EQ(status(path).st_mode & 07777, 0660u);
    EXPECT_EQ(status(path).st_gid, ::getgrnam("daemon")->gr_gid);
    EXPECT_FALSE(exists(path + "~"));
}

TEST_F(UnixListener, OfAnUnknownGroupLeavesNothingBehind) {
    EXPECT_EQ(code_of([&] { Listener::on_unix(path, 0660, "nobody-has-this-group"); }), Code::not_found);
    EXPECT_FALSE(exists(path));
    EXPECT_FALSE(exists(path + "~"));
}

TEST_F(UnixListener, TakesThePlaceOfAnAbandonedSocketButNotOfOneThatAnswers) {
    { Listener abandoned = Listener::on_unix(path, 0600, ""); }  // closed, its file is left as after a kill
    ASSERT_TRUE(exists(path));
    HttpServer server({}, fixed("second"));
    server.serve(Listener::on_unix(path, 0600, ""));
    EXPECT_EQ(RawClient(path).ask(request("GET", "/")).body, "second");
    EXPECT_EQ(code_of([&] { Listener::on_unix(path, 0600, ""); }), Code::conflict);
    EXPECT_EQ(RawClient(path).ask(request("GET", "/")).body, "second") << "the refused one changed nothing";
}

TEST_F(UnixListener, OfABusyAgentIsNotTakenForAbandoned) {
    Listener busy = Listener::on_unix(path, 0600, "");  // accepts nothing
    std::vector<Fd> waiting;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    while (true) {
        Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) break;
        waiting.push_back(std::move(socket));
    }
    EXPECT_EQ(code_of([&] { Listener::on_unix(path, 0600, ""); }), Code::conflict);
}

TEST_F(UnixListener, NeverReplacesAFileThatIsNoSocket) {
    write_file_durably(AT_FDCWD, path, "precious");
    EXPECT_EQ(code_of([&] { Listener::on_unix(path, 0600, ""); }), Code::conflict);
    EXPECT_EQ(read_file_at(AT_FDCWD, path), "precious");
}

TEST_F(UnixListener, RemovesItsFileAtTheEndUnlessAnotherLiesThere) {
    {
        HttpServer server({}, fixed("x"));
        server.serve(Listener::on_unix(path, 0600, ""));
    }
    EXPECT_FALSE(exists(path));
    {
        HttpServer server({}, fixed("x"));
        server.serve(Listener::on_unix(path, 0600, ""));
        ASSERT_EQ(::unlink(path.c_str()), 0);
        write_file_durably(AT_FDCWD, path, "somebody else's");
    }
    EXPECT_TRUE(exists(path));
}

TEST_F(UnixListener, RefusesPathsThatNoSocketCanHave) {
    EXPECT_EQ(code_of([&] { Listener::on_unix("", 0600, ""); }), Code::invalid_argument);
    EXPECT_EQ(code_of([&] { Listener::on_unix(folder + "/" + std::string(120, 'x'), 0600, ""); }),
              Code::invalid_argument);
    EXPECT_EQ(code_of([&] { Listener::on_unix(folder + "/missing/kedge.sock", 0600, ""); }), Code::not_found);
}

class TcpListener : public testing::Test {};

TEST_F(TcpListener, ServesOnAFreePortOfBothFamilies) {
    for (const char* address : {"127.0.0.1:0", "[::1]:0", ":0"}) {
        HttpServer server({}, fixed("x"));
        std::vector<Listener> listeners = Listener::on_tcp(address);
        ASSERT_FALSE(listeners.empty());
        uint16_t port = listeners.front().port();
        EXPECT_NE(port, 0);
        server.serve(std::move(listeners));
        if (std::string(address) == "[::1]:0") continue;
        EXPECT_EQ(RawClient(port).ask(request("GET", "/")).body, "x");
    }
}

TEST_F(TcpListener, ListensOnEveryAddressWithOnePort) {
    std::vector<Listener> all = Listener::on_tcp(":0");
    ASSERT_EQ(all.size(), 2u) << "both kinds";
    EXPECT_EQ(all[0].port(), all[1].port());
    const uint16_t port = all[0].port();
    HttpServer server({}, fixed("x"));
    server.serve(std::move(all));
    EXPECT_EQ(RawClient(port).ask(request("GET", "/")).body, "x");
    Fd six(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(port);
    EXPECT_EQ(::connect(six.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << errno;
}

TEST_F(TcpListener, SaysWhichPortIsInUse) {
    std::vector<Listener> first = Listener::on_tcp("127.0.0.1:0");
    std::string address = "127.0.0.1:" + std::to_string(first.at(0).port());
    try {
        (void)Listener::on_tcp(address);
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(address), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("in use"), std::string::npos) << error.what();
    }
}

TEST_F(TcpListener, RefusesWhatIsNoHostAndPort) {
    for (const char* bad : {"", "80", "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http",
                            "127.0.0.1:80x", "not an address:80", "[::1:80"}) {
        EXPECT_EQ(code_of([&] { (void)Listener::on_tcp(bad); }), Code::invalid_argument) << bad;
    }
}

}  // namespace
}  // namespace kedge::api
