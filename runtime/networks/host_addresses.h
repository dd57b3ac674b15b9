#pragma once

#include "runtime/networks/ipv6.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// Every subnet of an address or route of the host (the default route aside), except those of `own_links`.
std::vector<Subnet> subnets_in_use(const std::vector<std::string>& own_links);
std::vector<Subnet6> ipv6_subnets_in_use(const std::vector<std::string>& own_links);
/// Every address of the host: AF_INET or AF_INET6.
std::vector<Address> host_addresses(int family);

}  // namespace kedge::runtime
