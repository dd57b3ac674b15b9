#pragma once

#include "api/feed.h"

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kedge::api {

struct Peer;

/// The minor number of the newest version of Docker's Engine API that kedge speaks.
inline constexpr int kNewestApi = 51;

/// One HTTP request as the routes see it. Header names are lower case; path and query are decoded.
struct Request {
    std::string method;
    std::string path;
    std::multimap<std::string, std::string> query;
    std::map<std::string, std::string> headers;
    std::map<std::string, std::string> captures;  ///< what `{name}` of the route's pattern stood for
    int api = kNewestApi;  ///< the minor number of the version of Docker's API that the path names

    /// Who sends it; null in tests of handlers alone.
    std::function<Peer()> peer;

    /// Hands over the body in pieces as it arrives; `sink` returns false to give up. Throws Error (unavailable) when
    /// the client broke off.
    std::function<void(const std::function<bool(std::string_view)>& sink)> read_body;

    /// Requested when the client is gone or the server stops. The first call begins to watch the connection.
    std::function<std::stop_token()> watch_client;
    /// The same, but a client that only sends no more is not gone: for connections that are taken over.
    std::function<std::stop_token()> watch_connection;

    /// The first value of a query parameter; empty when it is absent.
    std::string parameter(const std::string& name) const;
    /// Docker's idea of truth: absent, empty, `0`, `no`, `false` and `none` are false, all else is true.
    bool flag(const std::string& name, bool absent = false) const;
    std::string header(const std::string& name) const;
    /// The whole body; more than `limit` bytes is Error (invalid_argument).
    std::string body(size_t limit = 4u << 20) const;
};

/// The way to a client that is being streamed to.
class Writer {
public:
    virtual ~Writer() = default;
    /// False once the client is gone; what is sent is on its way at once.
    virtual bool write(std::string_view data) = 0;
    /// What is sent must not be taken for all: the connection ends here.
    virtual void break_off() {}
};

/// A connection that has left HTTP: bytes in both directions.
class Duplex : public Writer {
public:
    /// Up to `size` bytes; 0: the client sends no more, or it is gone, or the server stops.
    virtual size_t read(char* data, size_t size) = 0;
    /// Ends a read that blocks in another thread.
    virtual void end_reading() = 0;
    /// Ends the connection for the client, while this goes on.
    virtual void hang_up() = 0;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    /// In place of `body`: called once the head is sent; may take as long as it likes. What it throws breaks the
    /// connection off, so that the client doesn't take what it got for the whole.
    std::function<void(Writer&)> stream;
    /// In place of both: an answer that goes on for long, and takes no thread meanwhile.
    FeedMaker feed;
    /// In place of all: the connection is taken over (`101 UPGRADED` if the client asked to upgrade; with status 101 to
    /// what the headers say). Must not throw.
    std::function<void(Duplex&)> take_over;
};

/// What it learns of the request on the way, such as its captures, it writes into that.
using Handler = std::function<Response(Request&)>;

}  // namespace kedge::api
