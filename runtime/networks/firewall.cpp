#include "runtime/networks/firewall.h"

#include "base/error.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <nftables/libnftables.h>
#include <nlohmann/json.hpp>

#include <string_view>

namespace kedge::runtime {

namespace {

// Sets and maps carry everything that changes; the rules stay as they are.
// - raw: with route_localnet on, a container could otherwise speak to what listens on the host's loopback.
// - publish: an exact address goes before any address. Loopback and own addresses come by way of the output hook.
// - postrouting: a container that reaches another one through a published port must get the answer back through here,
// not
//   directly; and an address of 127/8 means nothing outside the host.
// - forward: within a bridge everything passes; from one bridge to another, and from outside, only published ports.
constexpr std::string_view kChains = R"(
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain publish {
    meta l4proto { 6, 17 } dnat ip to meta l4proto . ip daddr . th dport map @ports
    meta l4proto { 6, 17 } dnat ip to meta l4proto . th dport map @any_ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump publish
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "lo" return
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
    oifname @bridges ip saddr @subnets ct status dnat masquerade
    oifname != @bridges ip saddr @subnets masquerade
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
)";

// Numbers, also in the chains above: names would need /etc/protocols.
int number_of(Protocol protocol) {
    return protocol == Protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP;
}

// The element of a host port in its map: `ports { 6 . 10.0.0.1 . 80 : 172.29.0.2 . 8080 }`.
std::string element(std::string_view verb, const std::string& table, const HostPort& port, const Backend* backend) {
    std::string to = backend ? fmt::format(" : {} . {}", backend->address.str(), backend->port) : std::string();
    if (port.address.any()) {
        return fmt::format("{} element ip {} any_ports {{ {} . {}{} }}\n", verb, table, number_of(port.protocol),
                           port.port, to);
    }
    return fmt::format("{} element ip {} ports {{ {} . {} . {}{} }}\n", verb, table, number_of(port.protocol),
                       port.address.str(), port.port, to);
}

std::string network_elements(std::string_view verb, const std::string& table, const std::string& bridge,
                             const Firewall::Network& network) {
    std::string text =
        fmt::format("{0} element ip {1} bridges {{ \"{2}\" }}\n{0} element ip {1} same {{ \"{2}\" . \"{2}\" }}\n", verb,
                    table, bridge);
    if (network.internal) return text + fmt::format("{} element ip {} internal {{ \"{}\" }}\n", verb, table, bridge);
    return text + fmt::format("{} element ip {} subnets {{ {} }}\n", verb, table, network.subnet.str());
}

// One element of libnftables' JSON: [{"concat": [6, "10.0.0.1", 80]}, {"concat": ["172.29.0.2", 8080]}]
std::pair<HostPort, Backend> parse_element(const nlohmann::json& item) {
    const nlohmann::json& key = item.at(0).at("concat");
    const nlohmann::json& to = item.at(1).at("concat");
    HostPort port;
    port.protocol = key.at(0) == IPPROTO_TCP ? Protocol::tcp : Protocol::udp;
    if (key.size() == 3) port.address = Ipv4::parse(key.at(1).get<std::string>());
    port.port = key.at(key.size() - 1).get<uint16_t>();
    return {port, {Ipv4::parse(to.at(0).get<std::string>()), to.at(1).get<uint16_t>()}};
}

}  // namespace

Firewall::Firewall(std::string table) : table_(std::move(table)) {}

std::map<HostPort, Backend> Firewall::read_published() {
    std::map<HostPort, Backend> result;
    for (const char* map : {"ports", "any_ports"}) {
        try {
            const auto answer = nlohmann::json::parse(
                nftables_.run("list map ip " + table_ + " " + map, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_PROTO));
            for (const auto& object : answer.at("nftables")) {
                if (!object.contains("map") || !object["map"].contains("elem")) continue;
                for (const auto& item : object["map"]["elem"]) result.insert(parse_element(item));
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
    if (!networks_.empty()) {
        text += fmt::format(
            "table ip {} {{\n"
            "  set bridges {{ type ifname; }}\n  set internal {{ type ifname; }}\n  set same {{ type ifname . ifname; "
            "}}\n"
            "  set subnets {{ type ipv4_addr; flags interval; }}\n"
            "  map ports {{ type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }}\n"
            "  map any_ports {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}\n{}}}\n",
            table_, kChains);
        for (const auto& [bridge, network] : networks_) text += network_elements("add", table_, bridge, network);
        for (const auto& [port, backend] : published_) text += element("add", table_, port, &backend);
    }
    (void)nftables_.run(text);
}

void Firewall::begin(const std::map<std::string, Network>& networks_by_bridge) {
    std::lock_guard lock(mutex_);
    networks_ = networks_by_bridge;
    published_ = read_published();
    rebuild();
}

void Firewall::add_network(const std::string& bridge, const Network& network) {
    std::lock_guard lock(mutex_);
    const bool first = networks_.empty();
    networks_[bridge] = network;
    try {
        if (first) return rebuild();
        try {
            (void)nftables_.run(network_elements("add", table_, bridge, network));
        } catch (const Error&) {
            rebuild();
        }
    } catch (const Error&) {
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
    if (networks_.empty()) {
        published_.clear();
        return rebuild();
    }
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
        if (old != wanted.end()) {
            text += element("delete", table_, port, nullptr);
            wanted.erase(old);
        }
        if (backend) {
            text += element("add", table_, port, &*backend);
            wanted[port] = *backend;
        }
    }
    if (text.empty()) return;
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

}  // namespace kedge::runtime
