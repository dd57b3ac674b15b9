#pragma once

#include <string>

namespace kedge::cli {

/// Replies on connections that httplib does not read, or no longer reads.

/// The head of a reply, to its empty line and not a byte further. Error unavailable if the connection ends before,
/// internal if it is not HTTP.
std::string read_reply_head(int fd);
int status_of_reply(const std::string& head);
/// What follows the head, by its Content-Length, at most 1 MiB; less if the connection ends before.
std::string read_reply_body(int fd, const std::string& head);

/// Bytes that came; 0 at the end, also where the other side ended without reading all that was written to it.
size_t receive(int fd, char* data, size_t size, int flags = 0);

}  // namespace kedge::cli
