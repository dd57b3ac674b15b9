#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kedge::cli {

/// What the head of the agent's reply says (RFC 9112).
struct ReplyHead {
    int status = 0;
    bool chunked = false;
    std::optional<uint64_t>
        length;  ///< of the body in bytes; neither this nor chunked: it goes to the connection's end
    std::map<std::string, std::string> fields;  ///< all of them, by names in lower case
};

/// Reads a reply's head, to its empty line and not a byte further. Error unavailable if the connection ends before,
/// internal if it is not HTTP.
ReplyHead read_reply_head(int fd);

/// Hands over the body as it arrives. Error unavailable if the connection ends before it does.
void read_reply_body(int fd, const ReplyHead& head, const std::function<void(std::string_view)>& sink);

/// Bytes that came; 0 at the end, also where the other side ended without reading all that was written to it.
size_t receive(int fd, char* data, size_t size, int flags = 0);

}  // namespace kedge::cli
