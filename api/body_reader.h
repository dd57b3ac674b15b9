#pragma once

#include "api/connection.h"
#include "api/request_head.h"

#include <functional>
#include <string_view>

namespace kedge::api {

/// The body of one request, read from its connection as its head frames it (RFC 9112, 6 and 7).
class BodyReader {
public:
    BodyReader(Connection& connection, const RequestHead& head);

    /// Hands over what is left in pieces as they arrive; `sink` returns false to give up. Throws Error: unavailable
    /// when the client broke off, invalid_argument for malformed chunks. A client that waits to be told to go on is
    /// told so by the first call.
    void read(const std::function<bool(std::string_view)>& sink);

    /// Reads what nobody wanted, so that the next request can be found behind it; false if that is too much or
    /// malformed.
    bool drain();

    bool empty() const { return done_; }

private:
    size_t next(char* data, size_t size);
    void begin_chunk();
    char byte();
    void end_line();
    void skip_trailers();

    Connection& connection_;
    bool chunked_;
    uint64_t left_;   ///< bytes of the body, or of the chunk
    bool must_tell_;  ///< the client waits for `100 Continue`
    bool done_ = false;
    bool broken_ = false;
};

}  // namespace kedge::api
