#pragma once

#include "runtime/networks/firewall.h"

#include <vector>

namespace kedge::runtime {

/// Forgets the kernel's UDP flows to these host ports that lead anywhere but to their backend (all flows where there is
/// none): a flow that never pauses would otherwise keep its old way for ever. Best effort: a kernel without connection
/// tracking over netlink keeps them until they time out. Those of IPv6 only with `ipv6`: where nothing of that is
/// translated there are none.
void forget_stale_flows(const Firewall::Changes& changes, bool ipv6);

}  // namespace kedge::runtime
