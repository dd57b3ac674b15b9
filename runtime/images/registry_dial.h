#pragma once

#include "base/fd.h"

#include <chrono>
#include <stop_token>
#include <string>

namespace kedge::runtime {

/// A TCP connection to a host name or address, tried address by address. `stop` ends it at once, also while the name is
/// being looked up. Errors: unavailable (transient: no such host, refused, no answer in `patience`), cancelled. The
/// socket blocks, is close-on-exec, and gives up reads and writes that make no progress for `idle`.
Fd dial(const std::string& host, int port, std::chrono::seconds patience, std::chrono::seconds idle,
        std::stop_token stop);

}  // namespace kedge::runtime
