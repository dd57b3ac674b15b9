#pragma once

#include "api/audit.h"
#include "api/client_limits.h"
#include "api/http.h"
#include "base/fd.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct addrinfo;

namespace kedge::api {

/// A socket that listens: where requests come in.
class Listener {
public:
    /// A Unix socket with this mode and group (empty: unchanged), put in place of an abandoned one in one step. Error
    /// conflict when somebody answers there already.
    static Listener on_unix(const std::string& path, unsigned mode, const std::string& group);
    /// `host:port`, `:port`, `[v6]:port`: one for each address of the host, or of this machine. Port 0 takes a free
    /// one, the same for all.
    static std::vector<Listener> on_tcp(const std::string& host_port);

    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&&) noexcept = default;

    int fd() const { return fd_.get(); }
    uint16_t port() const;  ///< of a TCP socket
    /// Removes the Unix socket's file, unless somebody else's lies there by now.
    void remove_file();

private:
    Listener() = default;
    /// Without a descriptor, and with errno, if that is not possible. `port`: in place of the address' own, unless 0.
    static Listener on_address(const addrinfo& address, uint16_t port);
    Fd fd_;
    std::string path_;
    uint64_t inode_ = 0;
};

struct ServerOptions {
    int threads = 64;        ///< requests at a time; more wait half a second and are told 503. Feeds and connections
                             ///< that were taken over don't count
    bool untrusted = false;  ///< the Internet is on the other side: short deadlines, one request a connection
    std::optional<ClientLimits> limits = {};  ///< in place of those that fit
};

/// Serves HTTP/1.1 on listeners by one handler until it is destroyed. Threads are made when requests come and end when
/// idle. What the handler throws becomes Docker's error body.
class HttpServer {
public:
    HttpServer(ServerOptions options, Handler handler);
    /// Ends streams, lets running requests finish; clients that take no answer are given up after two seconds.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    void serve(Listener listener);
    void serve(std::vector<Listener> listeners);
    /// One connection that somebody else has accepted, from `peer`.
    void serve(Fd socket, Peer peer);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kedge::api
