#include "runtime/networks/ipv4.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace kedge::runtime {

Ipv4 Ipv4::parse(const std::string& text) {
    in_addr address{};
    if (::inet_pton(AF_INET, text.c_str(), &address) != 1) {
        throw Error(Code::invalid_argument, "invalid IPv4 address: " + text);
    }
    return {ntohl(address.s_addr)};
}

std::string Ipv4::str() const {
    return fmt::format("{}.{}.{}.{}", bits >> 24, bits >> 16 & 255, bits >> 8 & 255, bits & 255);
}

Subnet Subnet::parse(const std::string& text) {
    const Error invalid(Code::invalid_argument, "invalid CIDR address: " + text);
    size_t slash = text.find('/');
    if (slash == std::string::npos) throw invalid;
    Subnet result;
    try {
        result.base = Ipv4::parse(text.substr(0, slash));
    } catch (const Error&) {
        throw invalid;
    }
    const char* end = text.data() + text.size();
    auto [rest, code] = std::from_chars(text.data() + slash + 1, end, result.prefix);
    if (code != std::errc() || rest != end || result.prefix < 0 || result.prefix > 32) throw invalid;
    if ((result.base.bits & ~result.mask()) != 0) {
        Subnet meant{{result.base.bits & result.mask()}, result.prefix};
        throw Error(Code::invalid_argument, "invalid subnet " + text + ": it should be " + meant.str());
    }
    return result;
}

std::string Subnet::str() const {
    return base.str() + "/" + std::to_string(prefix);
}

std::string mac_of(Ipv4 address) {
    return fmt::format("02:42:{:02x}:{:02x}:{:02x}:{:02x}", address.bits >> 24, address.bits >> 16 & 255,
                       address.bits >> 8 & 255, address.bits & 255);
}

}  // namespace kedge::runtime
