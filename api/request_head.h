#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace kedge::api {

/// The head of one HTTP/1.x request, read as strictly as RFC 9112 allows: what two readers could understand differently
/// is refused, so that nobody smuggles a second request in the first one's body.
struct RequestHead {
    std::string method;
    std::string path;                               ///< decoded; begins with a slash, has no control characters
    std::multimap<std::string, std::string> query;  ///< decoded
    std::map<std::string, std::string> headers;     ///< names in lower case; what is repeated is joined by ", "
    bool keep_alive = true;                         ///< the client takes another answer on this connection
    bool can_chunk = true;                          ///< it understands answers in chunks (HTTP/1.1)
    bool expects_continue = false;                  ///< it sends the body only when told to go on
    bool chunked = false;                           ///< the body comes in chunks
    uint64_t length = 0;                            ///< bytes of the body if it doesn't
};

/// Reads a head, from the request line to the empty line that ends it. Throws Error (invalid_argument).
RequestHead parse_head(std::string_view text);

}  // namespace kedge::api
