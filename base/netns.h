#pragma once

#include "base/fd.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kedge {

/// socket(2) inside the network namespace `netns` (close-on-exec is added): the socket stays in that namespace for
/// good, the calling thread never leaves its own. `also` is called in there; it must not throw. Throws Error.
Fd socket_in(int netns, int domain, int type, int protocol, const std::function<void()>& also = {});

/// Writes each value into the file of that name below /proc/sys/net as it is in `netns`. Throws Error.
void write_net_settings(int netns, const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace kedge
