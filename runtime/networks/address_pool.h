#pragma once

#include "runtime/networks/ipv6.h"

#include <set>
#include <string>
#include <vector>

namespace kedge::runtime {

/// The addresses of one family in one network: `Range` is Subnet or Subnet6. Not thread-safe.
template <typename Range>
class AddressesOf {
public:
    using One = decltype(Range::base);

    /// `range`: where take() without an address looks.
    AddressesOf(Range subnet, One gateway, Range range);
    AddressesOf(Range subnet, One gateway) : AddressesOf(subnet, gateway, subnet) {}

    /// The next free address after the one given last, so that an address rests before it is used again.
    /// Error resource_exhausted when all are taken.
    One take();
    /// Exactly this one: invalid_argument when it isn't the subnet's, conflict (`Address already in use`) when taken.
    void take(One address);
    /// This one if take() could have given it and it is free.
    bool take_if_free(One address);
    /// Back to the pool; unknown ones are ignored.
    void give_back(One address);

private:
    One first() const;
    One last() const;

    Range subnet_;
    Range range_;
    std::set<One> taken_;  // the gateway always
    One last_;
};

using AddressPool = AddressesOf<Subnet>;
using AddressPool6 = AddressesOf<Subnet6>;

/// The first /24 (or the whole pool, if that is smaller) of `pools` that overlaps none of `taken`.
/// Error resource_exhausted, in Docker's words, when there is none.
Subnet free_subnet(const std::vector<Subnet>& pools, const std::vector<Subnet>& taken);
/// Likewise the first /64 of a larger pool.
Subnet6 free_subnet(const Subnet6& pool, const std::vector<Subnet6>& taken);

}  // namespace kedge::runtime
