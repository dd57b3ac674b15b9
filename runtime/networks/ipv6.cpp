#include "runtime/networks/ipv6.h"

#include "base/digest.h"
#include "base/error.h"

#include <arpa/inet.h>

#include <charconv>

namespace kedge::runtime {

Ipv6 Ipv6::parse(const std::string& text) {
    Bytes bytes{};
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1)
        throw Error(Code::invalid_argument, "invalid IPv6 address: " + text);
    return of(bytes);
}

Ipv6 Ipv6::of(const Bytes& bytes) {
    Ipv6 address;
    for (uint8_t byte : bytes) address.bits = address.bits << 8 | byte;
    return address;
}

Ipv6::Bytes Ipv6::bytes() const {
    Bytes result{};
    Uint128 rest = bits;
    for (auto byte = result.rbegin(); byte != result.rend(); ++byte, rest >>= 8) *byte = static_cast<uint8_t>(rest);
    return result;
}

std::string Ipv6::str() const {
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(AF_INET6, bytes().data(), text, sizeof text);
}

Subnet6 Subnet6::parse(const std::string& text) {
    const Error invalid(Code::invalid_argument, "invalid CIDR address: " + text);
    const size_t slash = text.find('/');
    if (slash == std::string::npos) throw invalid;
    Subnet6 result;
    try {
        result.base = Ipv6::parse(text.substr(0, slash));
    } catch (const Error&) {
        throw invalid;
    }
    const char* end = text.data() + text.size();
    auto [rest, code] = std::from_chars(text.data() + slash + 1, end, result.prefix);
    if (code != std::errc() || rest != end || result.prefix < 0 || result.prefix > 128) throw invalid;
    if ((result.base.bits & ~result.mask()) != 0) {
        const Subnet6 meant{{result.base.bits & result.mask()}, result.prefix};
        throw Error(Code::invalid_argument, "invalid subnet " + text + ": it should be " + meant.str());
    }
    return result;
}

std::string Subnet6::str() const {
    return base.str() + "/" + std::to_string(prefix);
}

std::string mac_of(Ipv6 address) {
    // Of 16 bytes few fit: those of a digest, so that addresses that end alike don't have the same.
    const std::string digits = Digest::of(address.str()).hex();
    std::string mac = "02";
    for (size_t at = 0; at < 10; at += 2) mac += ":" + digits.substr(at, 2);
    return mac;
}

Address parse_address(const std::string& text) {
    if (text.find(':') == std::string::npos) return Ipv4::parse(text);
    Ipv6::Bytes bytes{};
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1)
        throw Error(Code::invalid_argument, "invalid IP address: " + text);
    const Ipv6 address = Ipv6::of(bytes);
    if (address.bits >> 32 == 0xffff) return Ipv4{static_cast<uint32_t>(address.bits)};
    return address;
}

std::string to_string(const Address& address) {
    return std::visit([](const auto& of_family) { return of_family.str(); }, address);
}

bool is_any(const Address& address) {
    return std::visit([](const auto& of_family) { return of_family.any(); }, address);
}

}  // namespace kedge::runtime
