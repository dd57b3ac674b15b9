#pragma once

#include "runtime/networks/ipv4.h"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <variant>

namespace kedge::runtime {

__extension__ using Uint128 = unsigned __int128;

/// An IPv6 address as a number.
struct Ipv6 {
    using Bytes = std::array<uint8_t, 16>;
    Uint128 bits = 0;

    /// Without a zone. Throws Error (invalid_argument, `invalid IPv6 address: x`).
    static Ipv6 parse(const std::string& text);
    static Ipv6 of(const Bytes& bytes);
    Bytes bytes() const;  ///< as they go over the wire
    std::string str() const;
    bool any() const { return bits == 0; }
    bool loopback() const { return bits == 1; }
    auto operator<=>(const Ipv6&) const = default;
};

/// A range of IPv6 addresses with a common prefix.
struct Subnet6 {
    Ipv6 base;
    int prefix = 128;

    /// As Subnet::parse.
    static Subnet6 parse(const std::string& text);
    std::string str() const;
    Uint128 mask() const { return prefix == 0 ? 0 : ~Uint128{0} << (128 - prefix); }
    bool contains(Ipv6 address) const { return (address.bits & mask()) == base.bits; }
    bool overlaps(const Subnet6& other) const { return contains(other.base) || other.contains(base); }
    Ipv6 first() const { return {base.bits + 1}; }
    Ipv6 last() const { return {base.bits | ~mask()}; }
    /// Inside, and not the address of all its routers (RFC 4291, 2.6.1).
    bool usable(Ipv6 address) const { return contains(address) && address != base; }
    auto operator<=>(const Subnet6&) const = default;
};

/// As mac_of(Ipv4), for who has IPv6 alone.
std::string mac_of(Ipv6 address);

/// Of either family.
using Address = std::variant<Ipv4, Ipv6>;
/// Throws Error (invalid_argument, `invalid IP address: x`). An IPv4 address that is written as an IPv6 one
/// (`::ffff:10.0.0.1`) is the former.
Address parse_address(const std::string& text);
std::string to_string(const Address& address);
/// `0.0.0.0` or `::`.
bool is_any(const Address& address);
inline bool is_ipv6(const Address& address) {
    return std::holds_alternative<Ipv6>(address);
}

}  // namespace kedge::runtime
