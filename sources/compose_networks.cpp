#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

// What a network is, but for its name.

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

std::string read_subnet6(const Node& node, const std::string& text) {
    const size_t slash = text.find('/');
    int bits = -1;
    if (slash != std::string::npos) {
        auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
        if (error != std::errc() || end != text.data() + text.size()) bits = -1;
    }
    std::array<uint8_t, sizeof(in6_addr)> base{};
    if (bits < 0 || bits > 128 || ::inet_pton(AF_INET6, text.substr(0, slash).c_str(), base.data()) != 1)
        fail(node, fmt::format("\"{}\" is not a subnet", text), "write it as fd00:5::/64");
    if (bits > 126) fail(node, fmt::format("the subnet {} has no room for containers", text));
    const auto written = base;
    for (int i = 0; i < 16; ++i)
        base[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff00 >> std::clamp(bits - i * 8, 0, 8));
    if (base != written) {
        std::array<char, INET6_ADDRSTRLEN> meant{};
        fail(node, fmt::format("the subnet {} should be {}/{}", text,
                               ::inet_ntop(AF_INET6, base.data(), meant.data(), meant.size()), bits));
    }
    // Nobody, loopback and IPv4; of one link alone; groups.
    if (bits < 8 || base[0] == 0 || base[0] == 0xff || (base[0] == 0xfe && (bits < 10 || (base[1] & 0xc0) == 0x80)))
        fail(node, fmt::format("the subnet {} can't be used for containers", text));
    return text;
}

std::string read_subnet(const Node& node, const std::string& text) {
    size_t slash = text.find('/');
    int bits = -1;
    if (slash != std::string::npos) {
        auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
        if (error != std::errc() || end != text.data() + text.size()) bits = -1;
    }
    in_addr base{};
    if (bits < 0 || bits > 32 || ::inet_pton(AF_INET, text.substr(0, slash).c_str(), &base) != 1) {
        fail(node, fmt::format("\"{}\" is not a subnet", text), "write it as 172.28.0.0/16");
    }
    if (bits > 30) fail(node, fmt::format("the subnet {} has no room for containers", text));
    uint32_t address = ntohl(base.s_addr), mask = bits == 0 ? 0 : ~uint32_t{0} << (32 - bits);
    if (address & ~mask) {
        base.s_addr = htonl(address & mask);
        std::array<char, INET_ADDRSTRLEN> meant{};
        fail(node, fmt::format("the subnet {} should be {}/{}", text,
                               ::inet_ntop(AF_INET, &base, meant.data(), meant.size()), bits));
    }
    // This network, loopback, multicast and above.
    uint32_t first = address >> 24, last = (address | ~mask) >> 24;
    if (first == 0 || (first <= 127 && last >= 127) || last >= 224)
        fail(node, fmt::format("the subnet {} can't be used for containers", text));
    return text;
}

/// A subnet in bytes.
struct Cidr {
    std::array<uint8_t, sizeof(in6_addr)> base{};
    int family = AF_INET, bits = -1;

    static std::optional<Cidr> parse(const std::string& text) {
        Cidr cidr;
        const size_t slash = text.find('/');
        if (slash == std::string::npos) return {};
        cidr.family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
        const char* end = text.data() + text.size();
        auto [rest, error] = std::from_chars(text.data() + slash + 1, end, cidr.bits);
        const bool good = error == std::errc() && rest == end && cidr.bits >= 0 &&
                          cidr.bits <= (cidr.family == AF_INET ? 32 : 128) &&
                          ::inet_pton(cidr.family, text.substr(0, slash).c_str(), cidr.base.data()) == 1;
        return good ? std::optional(cidr) : std::nullopt;
    }
    /// Its base, or that of the first so many bits.
    std::array<uint8_t, sizeof(in6_addr)> first(int of) const {
        auto result = base;
        for (int i = 0; i < 16; ++i)
            result[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff00 >> std::clamp(of - i * 8, 0, 8));
        return result;
    }
};

void check_range(const Node& node, const std::string& text, const std::string& subnet) {
    const std::optional<Cidr> range = Cidr::parse(text), whole = Cidr::parse(subnet);
    if (!range) fail(node, fmt::format("\"{}\" is not a range of addresses", text), "write it as 172.28.5.0/24");
    if (range->family != whole->family || range->bits < whole->bits || range->first(whole->bits) != whole->base)
        fail(node, fmt::format("the range {} is not in the subnet {}", text, subnet));
    std::array<char, INET6_ADDRSTRLEN> meant{};
    const auto base = range->first(range->bits);
    if (base != range->base)
        fail(node, fmt::format("the range {} should be {}/{}", text,
                               ::inet_ntop(range->family, base.data(), meant.data(), meant.size()), range->bits));
}

/// One for each family.
void read_ipam_config(const Node& config, Network& network) {
    check_keys(config, keys::ipam_config);
    bool ipv6 = false;
    std::string subnet, gateway, range;
    std::map<std::string, std::string> auxiliary;
    with(config, "subnet", [&](const Node& value) {
        const std::string text = read_string(value);
        ipv6 = text.find(':') != std::string::npos;
        subnet = ipv6 ? read_subnet6(value, text) : read_subnet(value, text);
        if (!(ipv6 ? network.subnet6 : network.subnet).empty())
            fail(value, "more than one subnet of a family is not supported yet");
    });
    with(config, "gateway", [&](const Node& value) {
        gateway = read_string(value);
        if (!is_ip(gateway)) fail(value, fmt::format("\"{}\" is not an IP address", gateway));
        if (subnet.empty()) fail(value, "needs a subnet");
        if (!subnet_holds(subnet, gateway)) fail(value, fmt::format("{} is not in the subnet {}", gateway, subnet));
    });
    with(config, "ip_range", [&](const Node& value) {
        range = read_string(value);
        if (subnet.empty()) fail(value, "needs a subnet");
        check_range(value, range, subnet);
    });
    with(config, "aux_addresses", [&](const Node& value) {
        auxiliary = read_map(value);
        if (subnet.empty()) fail(value, "needs a subnet");
        for (const auto& [name, address] : auxiliary) {
            const Node& at = *value.find(name);
            if (!is_ip(address)) fail(at, fmt::format("\"{}\" is not an IP address", address));
            if (!subnet_holds(subnet, address)) fail(at, fmt::format("{} is not in the subnet {}", address, subnet));
        }
    });
    if (subnet.empty()) return;
    (ipv6 ? network.ip_range6 : network.ip_range) = range;
    (ipv6 ? network.aux_addresses6 : network.aux_addresses) = auxiliary;
    (ipv6 ? network.subnet6 : network.subnet) = subnet;
    (ipv6 ? network.gateway6 : network.gateway) = gateway;
}

void read_ipam(const Node& node, Network& network) {
    check_keys(node, keys::ipam);
    with(node, "driver", [](const Node& value) { read_one_of(value, {"default"}); });
    with(node, "config", [&](const Node& configs) {
        if (!configs.is_sequence()) fail(configs, "must be a list");
        for (const Node& config : configs.items) read_ipam_config(config, network);
    });
}

std::map<std::string, std::string> read_network_options(const Node& node) {
    std::map<std::string, std::string> options = read_map(node);
    for (const auto& [name, value] : options) {
        const Node& at = *node.find(name);
        if (name == "com.docker.network.driver.mtu") {
            (void)read_integer(at, 68, 65535);
        } else if (name == "com.docker.network.bridge.name") {
            if (!is_link_name(value) || value.find('"') != std::string::npos)
                fail(at, fmt::format("\"{}\" is not a bridge's name", value));
        } else if (name == "com.docker.network.bridge.enable_icc" ||
                   name == "com.docker.network.bridge.enable_ip_masquerade") {
            if (value != "true") fail(at, fmt::format("the value \"{}\" is not supported yet", value));
        } else {
            fail(at, "the network option is not supported yet");
        }
    }
    return options;
}

}  // namespace

void read_network_settings(const Node& node, Network& network) {
    with(node, "internal", [&](const Node& value) { network.internal = read_bool(value); });
    with(node, "driver", [&](const Node& value) {
        network.driver = read_string(value);
        if (network.driver != "bridge" && network.driver != "default" && !network.driver.empty()) {
            fail(value, fmt::format("the network driver \"{}\" is not supported yet", network.driver));
        }
        network.driver = "bridge";
    });
    with(node, "driver_opts", [&](const Node& value) { network.driver_opts = read_network_options(value); });
    with(node, "labels", [&](const Node& value) { network.labels = read_map(value); });
    with(node, "enable_ipv6", [&](const Node& value) { network.enable_ipv6 = read_bool(value); });
    with(node, "attachable", [&](const Node& value) { network.attachable = read_bool(value); });
    with(node, "enable_ipv4", [&](const Node& value) {
        network.enable_ipv4 = read_bool(value);
        if (!network.enable_ipv4 && !network.enable_ipv6) fail(value, "IPv4 or IPv6 must be enabled");
    });
    with(node, "ipam", [&](const Node& value) {
        read_ipam(value, network);
        if (!network.subnet.empty() && !network.enable_ipv4)
            fail(value, fmt::format("the subnet {} is of IPv4, which enable_ipv4 turns off", network.subnet));
        if (!network.subnet6.empty() && !network.enable_ipv6)
            fail(value, fmt::format("the subnet {} needs enable_ipv6: true", network.subnet6));
    });
}

}  // namespace kedge::sources
