#pragma once

#include "base/fd.h"
#include "registry_fixture.h"

#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kedge::runtime::test {

/// A server on loopback that says whatever a test wants said, byte for byte.
class HostileServer {
public:
    struct Request {
        std::string method, target;
        std::map<std::string, std::string> headers;  ///< names in lower case
        std::string header(const std::string& name) const;
    };
    /// The other end of one connection.
    class Peer {
    public:
        explicit Peer(int fd) : fd_(fd) {}
        bool send(std::string_view bytes) const;  ///< false once it has gone
        void answer(int status, const std::map<std::string, std::string>& headers, std::string_view body) const;
        void wait_until_gone() const;
        void hang_up() const;

    private:
        int fd_;
    };
    using Handler = std::function<void(const Request&, Peer&)>;

    explicit HostileServer(Handler handler);
    ~HostileServer();
    HostileServer(const HostileServer&) = delete;
    HostileServer& operator=(const HostileServer&) = delete;

    std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
    int port() const { return port_; }
    std::vector<Request> requests() const;  ///< so far
    size_t count(const std::string& method, const std::string& part_of_target) const;

private:
    void accept_all();
    void serve(int fd);

    Handler handler_;
    Fd listener_;
    int port_ = 0;
    mutable std::mutex mutex_;
    std::vector<Request> requests_;
    std::list<Fd> connections_;
    std::list<std::jthread> threads_;
    bool ending_ = false;
    std::jthread acceptor_;
};

/// A registry in memory: every repository holds the same documents. `before` may answer instead (true).
class FakeRegistry {
public:
    using Hook = std::function<bool(const HostileServer::Request&, HostileServer::Peer&)>;
    explicit FakeRegistry(const TestImage& image, Hook before = {});

    /// What a tag or digest answers with.
    void put_manifest(const std::string& tag, const std::string& media_type, const std::string& body);
    void put_blob(const Digest& digest, const std::string& body);
    std::string host() const { return server_.host(); }
    std::string name() const { return server_.host() + "/app:1"; }
    HostileServer& server() { return server_; }

private:
    void handle(const HostileServer::Request& request, HostileServer::Peer& peer);

    Hook before_;
    std::mutex mutex_;
    std::map<std::string, std::pair<std::string, std::string>> manifests_;
    std::map<std::string, std::string> blobs_;
    HostileServer server_;  // last: it calls the above
};

}  // namespace kedge::runtime::test
