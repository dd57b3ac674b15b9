#pragma once

#include "base/fd.h"

namespace kedge {

/// socket(2) inside the network namespace `netns` (close-on-exec is added): the socket stays in that namespace for
/// good, the calling thread never leaves its own. Throws Error.
Fd socket_in(int netns, int domain, int type, int protocol);

}  // namespace kedge
