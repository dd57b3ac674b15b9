#include "runtime/networks/address_pool.h"

#include "base/error.h"

#include <algorithm>

namespace kedge::runtime {

AddressPool::AddressPool(Subnet subnet, Ipv4 gateway, Subnet range)
    : subnet_(subnet), range_(range), taken_{gateway}, last_{range.base.bits - 1} {
    if (range_.base == subnet_.base) last_ = subnet_.base;
}

Ipv4 AddressPool::take() {
    Ipv4 candidate = last_;
    const uint32_t first = std::max(range_.base.bits, subnet_.first().bits);
    const uint32_t last = std::min(range_.broadcast().bits, subnet_.broadcast().bits - 1);
    // One of taken_.size() + 1 successive usable addresses is free, unless the range has fewer.
    for (size_t tries = 0; tries <= taken_.size() + 2; ++tries) {
        candidate.bits = candidate.bits >= last || candidate.bits < first ? first : candidate.bits + 1;
        if (taken_.insert(candidate).second) {
            last_ = candidate;
            return candidate;
        }
    }
    throw Error(Code::resource_exhausted,
                "no available IPv4 addresses on this network's address pools: " + range_.str());
}

void AddressPool::take(Ipv4 address) {
    if (!subnet_.usable(address)) {
        throw Error(Code::invalid_argument,
                    "Invalid address " + address.str() + ": It does not belong to any of this network's subnets",
                    "the subnet is " + subnet_.str());
    }
    if (!taken_.insert(address).second) throw Error(Code::conflict, "Address already in use: " + address.str());
}

void AddressPool::give_back(Ipv4 address) {
    taken_.erase(address);
}

Subnet free_subnet(const std::vector<Subnet>& pools, const std::vector<Subnet>& taken) {
    for (const Subnet& pool : pools) {
        Subnet candidate{pool.base, std::max(pool.prefix, 24)};
        const uint64_t size = uint64_t{1} << (32 - candidate.prefix);
        for (uint64_t base = pool.base.bits; base <= pool.broadcast().bits; base += size) {
            candidate.base.bits = static_cast<uint32_t>(base);
            auto overlaps = [&](const Subnet& other) { return other.overlaps(candidate); };
            if (std::none_of(taken.begin(), taken.end(), overlaps)) return candidate;
        }
    }
    throw Error(
        Code::resource_exhausted,
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network")
        .set_transient(false);
}

}  // namespace kedge::runtime
