#pragma once

#include "runtime/networks/firewall.h"

#include <vector>

namespace kedge::runtime {

/// Forgets the kernel's UDP flows to these host ports that lead anywhere but to their backend (all flows where there is
/// none): a flow that never pauses would otherwise keep its old way for ever. Best effort: a kernel without connection
/// tracking over netlink keeps them until they time out.
void forget_stale_flows(const Firewall::Changes& changes);

}  // namespace kedge::runtime
