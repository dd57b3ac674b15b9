#include "runtime/networks/address_pool.h"

#include "base/error.h"

#include <algorithm>

namespace kedge::runtime {

namespace {

constexpr const char* family_of(const Subnet&) {
    return "IPv4";
}
constexpr const char* family_of(const Subnet6&) {
    return "IPv6";
}

[[noreturn]] void throw_no_subnet(const char* family) {
    throw Error(Code::resource_exhausted, std::string("could not find an available, non-overlapping ") + family +
                                              " address pool among the defaults to assign to the network")
        .set_transient(false);
}

}  // namespace

template <typename Range>
AddressesOf<Range>::AddressesOf(Range subnet, One gateway, Range range)
    : subnet_(subnet), range_(range), taken_{gateway}, last_{range.base.bits - 1} {
    if (range_.base == subnet_.base) last_ = subnet_.base;
}

template <typename Range>
auto AddressesOf<Range>::first() const -> One {
    return std::max(range_.base, subnet_.first());
}

template <typename Range>
auto AddressesOf<Range>::last() const -> One {
    return std::min(One{range_.base.bits | ~range_.mask()}, subnet_.last());
}

template <typename Range>
auto AddressesOf<Range>::take() -> One {
    One candidate = last_;
    // One of taken_.size() + 1 successive usable addresses is free, unless the range has fewer.
    for (size_t tries = 0; tries <= taken_.size() + 2; ++tries) {
        if (candidate >= last() || candidate < first())
            candidate = first();
        else
            ++candidate.bits;
        if (taken_.insert(candidate).second) {
            last_ = candidate;
            return candidate;
        }
    }
    throw Error(Code::resource_exhausted, std::string("no available ") + family_of(subnet_) +
                                              " addresses on this network's address pools: " + range_.str());
}

template <typename Range>
void AddressesOf<Range>::take(One address) {
    if (!subnet_.usable(address)) {
        throw Error(Code::invalid_argument,
                    "Invalid address " + address.str() + ": It does not belong to any of this network's subnets",
                    "the subnet is " + subnet_.str());
    }
    if (!taken_.insert(address).second) throw Error(Code::conflict, "Address already in use: " + address.str());
}

template <typename Range>
bool AddressesOf<Range>::take_if_free(One address) {
    return address >= first() && address <= last() && taken_.insert(address).second;
}

template <typename Range>
void AddressesOf<Range>::give_back(One address) {
    taken_.erase(address);
}

template class AddressesOf<Subnet>;
template class AddressesOf<Subnet6>;

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
    throw_no_subnet("IPv4");
}

Subnet6 free_subnet(const Subnet6& pool, const std::vector<Subnet6>& taken) {
    Subnet6 candidate{pool.base, 64};
    for (; pool.contains(candidate.base); candidate.base.bits += Uint128{1} << 64) {
        auto overlaps = [&](const Subnet6& other) { return other.overlaps(candidate); };
        if (std::none_of(taken.begin(), taken.end(), overlaps)) return candidate;
    }
    throw_no_subnet("IPv6");
}

}  // namespace kedge::runtime
