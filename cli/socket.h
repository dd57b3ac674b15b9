#pragma once

#include "base/fd.h"

#include <string>
#include <string_view>

namespace kedge::cli {

/// A connection to the agent's socket. Error unavailable if nobody answers there.
Fd connect_to_agent(const std::string& path);

/// False once the other side reads no more.
bool send_all(int fd, std::string_view data);

/// The first lines of every request, to and without the last empty one.
std::string request_head(const std::string& method, const std::string& path);

}  // namespace kedge::cli
