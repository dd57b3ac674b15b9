#include "sources/compose_keys.h"
#include "sources/compose_load.h"
#include "sources/compose_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

// How a service joins its networks.

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

constexpr const char* kInterfaceOption = "com.docker.network.endpoint.ifname";

/// Of one host: neither nobody's nor a group's.
bool is_mac(const std::string& text) {
    if (text.size() != 17 || (text[2] != ':' && text[2] != '-')) return false;
    std::array<uint8_t, 6> bytes{};
    for (size_t i = 0; i < bytes.size(); ++i) {
        const char* at = text.data() + 3 * i;
        auto [rest, error] = std::from_chars(at, at + 2, bytes[i], 16);
        if (error != std::errc() || rest != at + 2 || (i < 5 && at[2] != text[2])) return false;
    }
    return (bytes[0] & 1) == 0 && bytes != std::array<uint8_t, 6>{};
}

void check_interface(const Node& node, const std::string& name) {
    if (!is_link_name(name) || name == "lo") fail(node, fmt::format("\"{}\" is not an interface's name", name));
}

std::map<std::string, std::string> read_endpoint_options(const Node& node) {
    std::map<std::string, std::string> options = read_map(node);
    for (const auto& [name, value] : options) {
        const Node& at = *node.find(name);
        if (name == kInterfaceOption)
            check_interface(at, value);
        else if (name != "com.docker.network.endpoint.sysctls")
            fail(at, "the endpoint option is not supported yet");
    }
    return options;
}

void read_network_use(const Node& value, NetworkUse& use) {
    check_keys(value, keys::network_use);
    with(value, "aliases", [&](const Node& aliases) {
        use.aliases = read_strings(aliases);
        for (size_t i = 0; i < use.aliases.size(); ++i) {
            if (!is_hostname(use.aliases[i]))
                fail(aliases.items[i], fmt::format("\"{}\" is not a host's name", use.aliases[i]));
        }
    });
    with(value, "ipv4_address", [&](const Node& address) {
        use.ipv4_address = read_string(address);
        if (!is_ipv4(use.ipv4_address)) fail(address, fmt::format("\"{}\" is not an IPv4 address", use.ipv4_address));
    });
    with(value, "ipv6_address", [&](const Node& address) {
        use.ipv6_address = read_string(address);
        if (!is_ipv6(use.ipv6_address)) fail(address, fmt::format("\"{}\" is not an IPv6 address", use.ipv6_address));
    });
    with(value, "priority",
         [&](const Node& priority) { use.priority = static_cast<int>(read_integer(priority, -1000000, 1000000)); });
    with(value, "gw_priority",
         [&](const Node& priority) { use.gw_priority = static_cast<int>(read_integer(priority, -1000000, 1000000)); });
    with(value, "mac_address", [&](const Node& address) {
        use.mac_address = read_string(address);
        if (!is_mac(use.mac_address))
            fail(address, fmt::format("\"{}\" is not a MAC address", use.mac_address), "write it as 02:42:0a:05:00:07");
    });
    with(value, "driver_opts", [&](const Node& options) { use.driver_opts = read_endpoint_options(options); });
    with(value, "interface_name", [&](const Node& name) {
        use.interface_name = read_string(name);
        check_interface(name, use.interface_name);
        auto other = use.driver_opts.find(kInterfaceOption);
        if (other != use.driver_opts.end() && other->second != use.interface_name)
            fail(name, fmt::format("driver_opts say {}", other->second));
    });
}

/// Two of one name can't be in one container; the engine calls them eth0 and so on.
void check_interfaces(const Node& node, const std::vector<NetworkUse>& uses) {
    std::set<std::string> names;
    for (size_t i = 0; i < uses.size(); ++i) {
        const NetworkUse& use = uses[i];
        auto option = use.driver_opts.find(kInterfaceOption);
        std::string name = option == use.driver_opts.end() ? use.interface_name : option->second;
        if (name.empty()) name = "eth" + std::to_string(i);
        if (!names.insert(name).second)
            fail(*node.find(use.network), fmt::format("another network has the interface {} already", name));
    }
}

}  // namespace

std::vector<NetworkUse> read_network_uses(const Node& node) {
    if (!node.is_map()) fail(node, "must be a list or mapping");
    std::vector<NetworkUse> list;
    for (const auto& [name, value] : node.entries) {
        NetworkUse use;
        use.network = name;
        if (!value.is_null()) read_network_use(value, use);
        list.push_back(std::move(use));
    }
    // The first one is eth0, and the way out unless gw_priority says another.
    std::stable_sort(list.begin(), list.end(),
                     [](const NetworkUse& a, const NetworkUse& b) { return a.priority > b.priority; });
    check_interfaces(node, list);
    return list;
}

}  // namespace kedge::sources
