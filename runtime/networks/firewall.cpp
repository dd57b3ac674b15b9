#include "runtime/networks/firewall.h"

#include "base/error.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <nftables/libnftables.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace kedge::runtime {

namespace {

// Sets and maps carry everything that changes; the rules stay as they are.
// - publish: an exact address goes before any address. Own addresses come by way of the output hook.
// - postrouting: a container that reaches another one through a published port must get the answer back through here,
// not
//   directly.
// - input: what the relay takes, but not from internal networks.
// - forward: within a bridge everything passes; from one bridge to another, and from outside, only published ports.
// What the families don't share stands in kWords.
constexpr std::string_view kChains = R"(
  chain publish {
    meta l4proto { 6, 17 } dnat FAMILY to meta l4proto . FAMILY daddr . th dport map @ports
    meta l4proto { 6, 17 } dnat FAMILY to meta l4proto . th dport map @any_ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    NOT_LOOPBACK fib daddr type local jump publish
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "lo" return
    FROM_LOOPBACK
    oifname @bridges FAMILY saddr @subnets ct status dnat masquerade
    oifname != @bridges FAMILY saddr @subnets masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname . oifname @same accept
    iifname @internal drop
    oifname @internal drop
    oifname @bridges ct status dnat accept
    oifname @bridges drop
  }
  set relayed { type inet_proto . FAMILY_addr . inet_service; }
  set any_relayed { type inet_proto . inet_service; }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname @internal meta l4proto { 6, 17 } meta l4proto . FAMILY daddr . th dport @relayed drop
    iifname @internal meta l4proto { 6, 17 } meta l4proto . th dport @any_relayed drop
  }
)";

// With route_localnet on, a container could otherwise speak to what listens on the host's loopback.
constexpr std::string_view kRawChain = R"(
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
)";

using Words = std::array<std::pair<std::string_view, std::string_view>, 4>;
// An address of 127/8 means nothing outside the host. Packets of ::1 don't leave loopback whatever becomes of them.
constexpr Words kWords4{{{"FAMILY_addr", "ipv4_addr"},
                         {"FAMILY", "ip"},
                         {"NOT_LOOPBACK", ""},
                         {"FROM_LOOPBACK", "oifname @bridges ip saddr 127.0.0.0/8 masquerade"}}};
constexpr Words kWords6{
    {{"FAMILY_addr", "ipv6_addr"}, {"FAMILY", "ip6"}, {"NOT_LOOPBACK", "ip6 daddr != ::1"}, {"FROM_LOOPBACK", ""}}};

std::string table_text(const std::string& name, bool ipv6) {
    std::string chains(kChains);
    for (const auto& [word, text] : ipv6 ? kWords6 : kWords4) {
        for (size_t at = 0; (at = chains.find(word, at)) != std::string::npos; at += text.size())
            chains.replace(at, word.size(), text);
    }
    if (!ipv6) chains += kRawChain;
    return fmt::format(
        "table {0} {1} {{\n"
        "  set bridges {{ type ifname; }}\n  set internal {{ type ifname; }}\n"
        "  set same {{ type ifname . ifname; }}\n"
        "  set subnets {{ type {2}; flags interval; }}\n"
        "  map ports {{ type inet_proto . {2} . inet_service : {2} . inet_service; }}\n"
        "  map any_ports {{ type inet_proto . inet_service : {2} . inet_service; }}\n{3}}}\n",
        ipv6 ? "ip6" : "ip", name, ipv6 ? "ipv6_addr" : "ipv4_addr", chains);
}

// Numbers, also in the chains above: names would need /etc/protocols.
int number_of(Protocol protocol) {
    return protocol == Protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP;
}

const char* family_of(const Address& address) {
    return is_ipv6(address) ? "ip6" : "ip";
}

// The element of a host port in its map: `ports { 6 . 10.0.0.1 . 80 : 172.29.0.2 . 8080 }`, or in the set of those that
// are relayed.
std::string element(std::string_view verb, const std::string& table, const HostPort& port, const Backend& backend) {
    const bool relayed = !is_translated(port, backend);
    std::string to;
    if (!relayed && verb == "add") to = fmt::format(" : {} . {}", to_string(backend.address), backend.port);
    const std::string address = is_any(port.address) ? "" : to_string(port.address) + " . ";
    return fmt::format("{} element {} {} {}{} {{ {} . {}{}{} }}\n", verb, family_of(port.address), table,
                       is_any(port.address) ? "any_" : "", relayed ? "relayed" : "ports", number_of(port.protocol),
                       address, port.port, to);
}

std::string network_elements(std::string_view verb, const char* family, const std::string& table,
                             const std::string& bridge, bool internal, const std::string& subnet) {
    std::string text =
        fmt::format("{0} element {3} {1} bridges {{ \"{2}\" }}\n{0} element {3} {1} same {{ \"{2}\" . \"{2}\" }}\n",
                    verb, table, bridge, family);
    if (internal) return text + fmt::format("{} element {} {} internal {{ \"{}\" }}\n", verb, family, table, bridge);
    if (subnet.empty()) return text;
    return text + fmt::format("{} element {} {} subnets {{ {} }}\n", verb, family, table, subnet);
}

std::string network_elements(std::string_view verb, const std::string& table, const std::string& bridge,
                             const Firewall::Network& network) {
    // Nothing of IPv4 goes through a bridge that has none, whatever its containers give themselves.
    std::string text = network_elements(verb, "ip", table, bridge, network.internal || !network.subnet,
                                        network.subnet ? network.subnet->str() : "");
    if (network.subnet6) text += network_elements(verb, "ip6", table, bridge, network.internal, network.subnet6->str());
    return text;
}

// One element of libnftables' JSON: [{"concat": [6, "10.0.0.1", 80]}, {"concat": ["172.29.0.2", 8080]}]
std::pair<HostPort, Backend> parse_element(const nlohmann::json& item, bool ipv6) {
    const nlohmann::json& key = item.at(0).at("concat");
    const nlohmann::json& to = item.at(1).at("concat");
    HostPort port;
    port.protocol = key.at(0) == IPPROTO_TCP ? Protocol::tcp : Protocol::udp;
    if (ipv6) port.address = Ipv6{};
    if (key.size() == 3) port.address = parse_address(key.at(1).get<std::string>());
    port.port = key.at(key.size() - 1).get<uint16_t>();
    return {port, {parse_address(to.at(0).get<std::string>()), to.at(1).get<uint16_t>()}};
}

}  // namespace

bool is_translated(const HostPort& port, const Backend& backend) {
    if (const auto* address = std::get_if<Ipv6>(&port.address); address && address->loopback()) return false;
    return is_ipv6(port.address) == is_ipv6(backend.address);
}

Firewall::Firewall(std::string table) : table_(std::move(table)) {}

bool Firewall::has_ipv6() const {
    return std::any_of(networks_.begin(), networks_.end(),
                       [](const auto& network) { return network.second.subnet6.has_value(); });
}

std::map<HostPort, Backend> Firewall::read_published() {
    std::map<HostPort, Backend> result;
    for (const char* map : {"ip {} ports", "ip {} any_ports", "ip6 {} ports", "ip6 {} any_ports"}) {
        const bool ipv6 = std::string_view(map).starts_with("ip6");
        try {
            const auto answer =
                nlohmann::json::parse(nftables_.run("list map " + fmt::format(fmt::runtime(map), table_),
                                                    NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PROTO));
            made_ipv6_ = made_ipv6_ || ipv6;
            for (const auto& object : answer.at("nftables")) {
                if (!object.contains("map") || !object["map"].contains("elem")) continue;
                for (const auto& item : object["map"]["elem"]) result.insert(parse_element(item, ipv6));
            }
        } catch (const std::exception&) {
            // No table, or one that isn't as we make it: what should be in it is published again as containers are
            // adopted.
        }
    }
    return result;
}

void Firewall::rebuild() {
    std::string text = fmt::format("add table ip {0}\ndelete table ip {0}\n", table_);
    // Not where nobody asks for it: the kernel may be without IPv6.
    const bool ipv6 = has_ipv6();
    if (ipv6 || made_ipv6_) text += fmt::format("add table ip6 {0}\ndelete table ip6 {0}\n", table_);
    if (!networks_.empty()) text += table_text(table_, false);
    if (ipv6) text += table_text(table_, true);
    for (const auto& [bridge, network] : networks_) text += network_elements("add", table_, bridge, network);
    for (const auto& [port, backend] : published_) {
        if (!is_ipv6(port.address) || ipv6) text += element("add", table_, port, backend);
    }
    (void)nftables_.run(text);
    made_ipv6_ = ipv6;
}

void Firewall::begin(const std::map<std::string, Network>& networks_by_bridge) {
    std::lock_guard lock(mutex_);
    networks_ = networks_by_bridge;
    published_ = read_published();
    rebuild();
}

void Firewall::add_network(const std::string& bridge, const Network& network) {
    std::lock_guard lock(mutex_);
    const auto known = networks_.find(bridge);
    const std::optional<Network> before = known == networks_.end() ? std::nullopt : std::optional(known->second);
    if (before == network) return;
    const bool anew = before || networks_.empty() || (network.subnet6 && !has_ipv6());
    networks_[bridge] = network;
    try {
        if (anew) return rebuild();
        try {
            (void)nftables_.run(network_elements("add", table_, bridge, network));
        } catch (const Error&) {
            rebuild();
        }
    } catch (const Error&) {
        if (before)
            networks_[bridge] = *before;
        else
            networks_.erase(bridge);
        throw;
    }
}

void Firewall::remove_network(const std::string& bridge) {
    std::lock_guard lock(mutex_);
    auto found = networks_.find(bridge);
    if (found == networks_.end()) return;
    const Network network = found->second;
    networks_.erase(found);
    if (networks_.empty()) published_.clear();
    if (networks_.empty() || (network.subnet6 && !has_ipv6())) return rebuild();
    try {
        (void)nftables_.run(network_elements("delete", table_, bridge, network));
    } catch (const Error&) {
        rebuild();
    }
}

void Firewall::publish(const Changes& changes) {
    std::lock_guard lock(mutex_);
    std::string text;
    auto wanted = published_;
    for (const auto& [port, backend] : changes) {
        auto old = wanted.find(port);
        if (old != wanted.end() && backend && old->second == *backend) continue;
        const bool in_table = !is_ipv6(port.address) || made_ipv6_;
        if (old != wanted.end()) {
            if (in_table) text += element("delete", table_, port, old->second);
            wanted.erase(old);
        }
        if (backend) {
            if (in_table) text += element("add", table_, port, *backend);
            wanted[port] = *backend;
        }
    }
    if (text.empty()) {
        published_ = std::move(wanted);
        return;
    }
    auto before = std::exchange(published_, std::move(wanted));
    try {
        (void)nftables_.run(text);
    } catch (const Error&) {
        try {
            rebuild();  // somebody changed the table by hand
        } catch (const Error&) {
            published_ = std::move(before);
            throw;
        }
    }
}

std::map<HostPort, Backend> Firewall::published() const {
    std::lock_guard lock(mutex_);
    return published_;
}

bool Firewall::translates_ipv6() const {
    std::lock_guard lock(mutex_);
    return made_ipv6_;
}

}  // namespace kedge::runtime
