#pragma once

#include "runtime/images/registry_url.h"

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kedge::runtime {

struct HttpRequest {
    std::string method = "GET";
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;
    size_t body_limit =
        64u << 10;  ///< bytes of an answer kept in memory: a longer success is an Error, a longer failure is cut
};

struct HttpResponse {
    int status = 0;
    std::multimap<std::string, std::string> headers;    ///< names in lower case
    std::string body;                                   ///< empty if it went to a sink
    std::string header(const std::string& name) const;  ///< the first of this name, or empty
};

/// Takes a body as it arrives. `begin` is called once the head of a 2xx answer is there; both may throw, which ends the
/// transfer.
struct HttpSink {
    std::function<void(const HttpResponse& head)> begin;
    std::function<void(std::string_view)> data;
};

/// Requests over connections that are kept open, one at a time; neither redirects nor credentials, which are the
/// caller's matter. Errors: unavailable (transient; names the host, never the path: no connection within 10 s, 30 s
/// without a byte, broken off, TLS), cancelled. A status is not an error here. Not thread-safe.
class HttpTransport {
public:
    explicit HttpTransport(std::shared_ptr<const RegistrySettings> settings);
    ~HttpTransport();

    HttpResponse send(const HttpRequest& request, const HttpSink* sink, std::stop_token stop);

private:
    struct Connection;
    Connection& connection_to(const Url& url);

    std::shared_ptr<const RegistrySettings> settings_;
    std::map<std::string, std::unique_ptr<Connection>> connections_;  // by origin
};

}  // namespace kedge::runtime
