#include "api/tls_gate.h"

#include "api/reply.h"
#include "api/tls_relay.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "tests/support/process.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kedge::api {
namespace {

/// An authority with a server's and a client's certificate, and another authority with a client's.
struct Certificates {
    Certificates() {
        make_folders(AT_FDCWD, folder);
        for (const char* name : {"ca", "other"})
            openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                     "2", "-subj", "/CN=" + std::string(name), "-keyout", at(name, "key"), "-out", at(name, "pem")});
        sign("server", "ca");
        sign("alice", "ca");
        sign("mallory", "other");
    }
    ~Certificates() { remove_tree(AT_FDCWD, folder); }

    void sign(const std::string& name, const std::string& by) {
        openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                 "-keyout", at(name, "key"), "-out", at(name, "csr")});
        openssl({"x509", "-req", "-in", at(name, "csr"), "-CA", at(by, "pem"), "-CAkey", at(by, "key"),
                 "-CAcreateserial", "-days", "2", "-out", at(name, "pem")});
        ::chmod(at(name, "key").c_str(), 0600);
    }
    std::string at(const std::string& name, const std::string& kind) const { return folder + "/" + name + "." + kind; }
    TlsFiles files() const { return {at("ca", "pem"), at("server", "pem"), at("server", "key")}; }

    std::string folder = "/tmp/kedge-tls-" + std::to_string(::getpid());

private:
    static void openssl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "openssl");
        test::Finished done = test::run(arguments);
        ASSERT_EQ(done.code, 0) << done.out;
    }
};

/// A client that speaks TLS, or doesn't.
class Client {
public:
    Client(uint16_t port, const std::string& certificate, const std::string& key)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), context_(SSL_CTX_new(TLS_client_method())) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        timeval patience{10, 0};
        (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw_errno("connect");
        if (!certificate.empty()) {
            SSL_CTX_use_certificate_file(context_, certificate.c_str(), SSL_FILETYPE_PEM);
            SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM);
        }
        ssl_.reset(SSL_new(context_));
        SSL_set_fd(ssl_.get(), socket_.get());
        SSL_connect(ssl_.get());
    }
    ~Client() { SSL_CTX_free(context_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(std::string_view data) { (void)SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size())); }
    void end_sending() { (void)SSL_shutdown(ssl_.get()); }
    /// All that comes; what came is all there is when the server cuts the connection.
    std::string rest() {
        std::string text;
        char buffer[16384];
        for (int n; (n = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
        return text;
    }
    std::string some() {
        char buffer[16384];
        int n = SSL_read(ssl_.get(), buffer, sizeof buffer);
        if (n <= 0) throw Error(Code::unavailable, "the connection ended");
        return {buffer, static_cast<size_t>(n)};
    }
    std::string until(const std::string& end) {
        std::string text;
        while (text.find(end) == std::string::npos) text += some();
        return text;
    }

private:
    Fd socket_;
    SSL_CTX* context_;
    Ssl ssl_;
};

struct Gate : testing::Test {
    static void SetUpTestSuite() { certificates = std::make_unique<Certificates>(); }
    static void TearDownTestSuite() { certificates.reset(); }
    void SetUp() override {
        std::vector<Listener> listeners = Listener::on_tcp("127.0.0.1:0");
        port = listeners.at(0).port();
        gate = std::make_unique<TlsGate>(std::move(listeners), certificates->files(), server);
    }

    static Response answer(const Request& request) {
        Response response;
        response.body = request.method == "POST" ? "by " + request.peer().name : "ok";
        if (request.path != "/echo") return response;
        response.take_over = [](Duplex& client) {
            char buffer[4096];
            while (size_t n = client.read(buffer, sizeof buffer))
                if (!client.write({buffer, n})) return;
        };
        return response;
    }
    std::string ask(const std::string& name, const std::string& method = "GET") {
        Client client(port, name.empty() ? "" : certificates->at(name, "pem"),
                      name.empty() ? "" : certificates->at(name, "key"));
        client.send(method + " / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        return client.rest();
    }

    static inline std::unique_ptr<Certificates> certificates;
    HttpServer server{{}, answer};
    uint16_t port = 0;
    std::unique_ptr<TlsGate> gate;
};

TEST_F(Gate, LetsInWhoHasACertificateOfTheAuthorityAndKnowsTheName) {
    EXPECT_TRUE(ask("alice").ends_with("\r\n\r\nok"));
    EXPECT_TRUE(ask("alice", "POST").ends_with("\r\n\r\nby alice"));
}

TEST_F(Gate, TurnsAwayEverybodyElse) {
    EXPECT_EQ(ask(""), "") << "no certificate";
    EXPECT_EQ(ask("mallory"), "") << "another authority's";
    Fd plain(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(plain.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    write_all(plain.get(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char said[1000];
    ssize_t n = ::recv(plain.get(), said, sizeof said, MSG_WAITALL);  // an alert, or a reset
    EXPECT_EQ(std::string(said, n > 0 ? static_cast<size_t>(n) : 0).find("HTTP/1.1 200"), std::string::npos);
    EXPECT_TRUE(ask("alice").ends_with("ok")) << "others are served on";
}

TEST_F(Gate, CarriesBothDirectionsWholeAndTheirEnds) {
    Client client(port, certificates->at("alice", "pem"), certificates->at("alice", "key"));
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    std::string all;
    for (int i = 0; i < 3000000; ++i) all += static_cast<char>(i * 7 >> (i % 5));
    std::string back;
    size_t head = 0;
    for (size_t at = 0; at < all.size(); at += 50000) {  // both at once would need two threads, and this is one's
        client.send(std::string_view(all).substr(at, 50000));
        if (head == 0) {
            back = client.until("\r\n\r\n");
            head = back.find("\r\n\r\n") + 4;
        }
        while (back.size() < head + at + 40000) back += client.some();
    }
    client.end_sending();
    back += client.rest();
    EXPECT_TRUE(back.substr(head) == all) << back.size();
}

TEST_F(Gate, EndsWithItsConnections) {
    Client idle(port, certificates->at("alice", "pem"), certificates->at("alice", "key"));
    Client silent(port, "", "");
    gate.reset();
    EXPECT_EQ(idle.rest(), "");
}

TEST_F(Gate, SaysWhichFileIsWrong) {
    auto refusal = [&](TlsFiles files) -> std::string {
        try {
            TlsGate made(Listener::on_tcp("127.0.0.1:0"), files, server);
            return "";
        } catch (const Error& error) {
            return error.what();
        }
    };
    TlsFiles files = certificates->files();
    files.ca = "/nonexistent/ca.pem";
    EXPECT_NE(refusal(files).find("/nonexistent/ca.pem"), std::string::npos);
    files = certificates->files();
    files.certificate = files.key;
    EXPECT_NE(refusal(files).find(files.key + ": is not a certificate"), std::string::npos) << refusal(files);
    files = certificates->files();
    files.key = certificates->at("alice", "key");
    EXPECT_NE(refusal(files).find("is not the certificate's key"), std::string::npos) << refusal(files);
    files = certificates->files();
    ::chmod(files.key.c_str(), 0644);
    EXPECT_NE(refusal(files).find(files.key), std::string::npos) << "others may read it";
    ::chmod(files.key.c_str(), 0600);
    EXPECT_EQ(refusal(files), "");
}

}  // namespace
}  // namespace kedge::api
