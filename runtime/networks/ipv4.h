#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace kedge::runtime {

/// An IPv4 address, in host byte order.
struct Ipv4 {
    uint32_t bits = 0;

    /// Four decimal numbers. Throws Error (invalid_argument, `invalid IPv4 address: x`).
    static Ipv4 parse(const std::string& text);
    std::string str() const;
    bool any() const { return bits == 0; }
    auto operator<=>(const Ipv4&) const = default;
};

/// A range of addresses with a common prefix.
struct Subnet {
    Ipv4 base;
    int prefix = 32;

    /// CIDR without host bits. Throws Error (invalid_argument).
    static Subnet parse(const std::string& text);
    std::string str() const;
    uint32_t mask() const { return prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix); }
    bool contains(Ipv4 address) const { return (address.bits & mask()) == base.bits; }
    bool overlaps(const Subnet& other) const { return contains(other.base) || other.contains(base); }
    Ipv4 first() const { return {base.bits + 1}; }
    Ipv4 broadcast() const { return {base.bits | ~mask()}; }
    Ipv4 last() const { return {broadcast().bits - 1}; }
    /// Inside, and neither the network's own nor the broadcast address.
    bool usable(Ipv4 address) const { return contains(address) && address != base && address != broadcast(); }
    auto operator<=>(const Subnet&) const = default;
};

/// The Ethernet address that goes with an address, as Docker makes it: `02:42:` and the four bytes. The same address
/// always has the same one, so that no neighbour's table goes stale when an address changes hands.
std::string mac_of(Ipv4 address);

}  // namespace kedge::runtime
