#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Capabilities as a mask: bit n is the capability with the number n.
using CapabilityMask = uint64_t;

/// What a container has unless told otherwise: Docker's fourteen.
CapabilityMask default_capabilities();

/// The number of `NET_ADMIN`, `CAP_NET_ADMIN` or `net_admin`; throws Error for what is none.
int capability_number(const std::string& name);

/// The name with CAP_ in front.
std::string capability_name(int number);

/// Default set with `add` and `drop` (ALL is a name in both) as Docker does it. Throws Error for an unknown name.
CapabilityMask adjust_capabilities(const std::vector<std::string>& add, const std::vector<std::string>& drop);

/// Every capability that the kernel has.
CapabilityMask all_capabilities();

/// Those in this process' own bounding set: more it can't give.
CapabilityMask own_capabilities();

/// `CAP_CHOWN, CAP_KILL`.
std::vector<std::string> capability_names(CapabilityMask mask);

}  // namespace kedge::runtime
