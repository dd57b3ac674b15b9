#pragma once

#include "runtime/networks/ipv4.h"

#include <set>
#include <string>
#include <vector>

namespace kedge::runtime {

/// The addresses of one network. Not thread-safe.
class AddressPool {
public:
    /// `range`: where take() without an address looks.
    AddressPool(Subnet subnet, Ipv4 gateway, Subnet range);
    AddressPool(Subnet subnet, Ipv4 gateway) : AddressPool(subnet, gateway, subnet) {}

    /// The next free address after the one given last, so that an address rests before it is used again.
    /// Error resource_exhausted when all are taken.
    Ipv4 take();
    /// Exactly this one: invalid_argument when it isn't the subnet's, conflict (`Address already in use`) when taken.
    void take(Ipv4 address);
    /// Back to the pool; unknown ones are ignored.
    void give_back(Ipv4 address);

private:
    Subnet subnet_;
    Subnet range_;
    std::set<Ipv4> taken_;  // the gateway always
    Ipv4 last_;
};

/// The first /24 (or the whole pool, if that is smaller) of `pools` that overlaps none of `taken`.
/// Error resource_exhausted, in Docker's words, when there is none.
Subnet free_subnet(const std::vector<Subnet>& pools, const std::vector<Subnet>& taken);

}  // namespace kedge::runtime
