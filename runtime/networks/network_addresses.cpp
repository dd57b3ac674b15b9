// Which subnets and gateways a new network gets.
#include "base/error.h"
#include "runtime/networks/host_addresses.h"
#include "runtime/networks/network_state.h"
#include "runtime/networks/network_sysctls.h"

#include <algorithm>
#include <iterator>

namespace kedge::runtime {

namespace {

template <typename Range>
Range parse_subnet(const std::string& text) {
    try {
        return Range::parse(text);
    } catch (const Error& e) {
        if (std::string_view(e.what()).find("CIDR") == std::string_view::npos)
            throw Error(Code::invalid_argument, std::string("invalid network config:\n") + e.what());
        throw Error(Code::invalid_argument,
                    "invalid network config:\ninvalid subnet " + text + ": invalid CIDR block notation");
    }
}

Subnet check_subnet(const std::string& text) {
    Subnet subnet = parse_subnet<Subnet>(text);
    const Subnet unusable[] = {Subnet::parse("0.0.0.0/8"), Subnet::parse("127.0.0.0/8"), Subnet::parse("224.0.0.0/3")};
    for (const Subnet& bad : unusable) {
        if (subnet.overlaps(bad))
            throw Error(Code::invalid_argument, "invalid subnet " + text + ": it overlaps " + bad.str());
    }
    if (subnet.prefix > 30)
        throw Error(Code::invalid_argument, "invalid subnet " + text + ": it has no room for containers");
    return subnet;
}

void check_range(const std::string& text, const Subnet& subnet) {
    if (text.empty()) return;
    const Subnet range = parse_subnet<Subnet>(text);
    if (range.prefix < subnet.prefix || !subnet.contains(range.base))
        throw Error(Code::invalid_argument, "no matching subnet for range " + text);
    if (!subnet.usable(range.base) && !subnet.usable(range.broadcast()))
        throw Error(Code::invalid_argument, "invalid range " + text + ": it has no room for containers");
}

Subnet6 check_subnet6(const std::string& text) {
    const Subnet6 subnet = parse_subnet<Subnet6>(text);
    // What stands for nobody, loopback and IPv4; what is of one link alone; groups.
    for (const char* other : {"::/8", "fe80::/10", "ff00::/8"}) {
        if (subnet.overlaps(Subnet6::parse(other)))
            throw Error(Code::invalid_argument, "invalid subnet " + text + ": it overlaps " + other);
    }
    if (subnet.prefix > 126)
        throw Error(Code::invalid_argument, "invalid subnet " + text + ": it has no room for containers");
    return subnet;
}

void check_range6(const std::string& text, const Subnet6& subnet) {
    if (text.empty()) return;
    const Subnet6 range = parse_subnet<Subnet6>(text);
    if (range.prefix < subnet.prefix || !subnet.contains(range.base))
        throw Error(Code::invalid_argument, "no matching subnet for range " + text);
    if (!subnet.usable(range.last()))
        throw Error(Code::invalid_argument, "invalid range " + text + ": it has no room for containers");
}

/// What is asked of a family that the network is without.
void refuse_family(bool there, const char* family, std::initializer_list<std::string> texts,
                   const std::map<std::string, std::string>& auxiliary) {
    std::vector<std::string> all(texts);
    for (const auto& [name, address] : auxiliary) all.push_back(address);
    for (const std::string& text : all) {
        if (there || text.empty()) continue;
        throw Error(Code::invalid_argument, std::string("the network has no ") + family + ", which " + text + " is of",
                    family == std::string("IPv6") ? "--ipv6 gives it some" : "");
    }
}

}  // namespace

void BridgeNetworks::State::choose_addresses(NetworkSpec& spec) const {
    if (!spec.ipv4 && !spec.ipv6) throw Error(Code::invalid_argument, "IPv4 or IPv6 must be enabled");
    refuse_family(spec.ipv4, "IPv4", {spec.subnet, spec.gateway, spec.ip_range}, spec.aux_addresses);
    refuse_family(spec.ipv6, "IPv6", {spec.subnet6, spec.gateway6, spec.ip_range6}, spec.aux_addresses6);
    if (spec.ipv4) choose_ipv4(spec, bridges());
    if (spec.ipv6) choose_ipv6(spec, bridges());
}

std::vector<std::string> BridgeNetworks::State::bridges() const {
    std::vector<std::string> all;
    for (const auto& [id, network] : networks) all.push_back(network.info.bridge);
    return all;
}

void BridgeNetworks::State::choose_ipv4(NetworkSpec& spec, const std::vector<std::string>& bridges) const {
    std::vector<Subnet> taken = subnets_in_use(bridges);
    for (const auto& [id, network] : networks) {
        if (network.subnet) taken.push_back(*network.subnet);
    }
    const Subnet subnet = spec.subnet.empty() ? free_subnet(pools, taken) : check_subnet(spec.subnet);
    if (std::any_of(taken.begin(), taken.end(), [&](const Subnet& other) { return other.overlaps(subnet); }))
        throw Error(Code::conflict, "invalid pool request: Pool overlaps with other one on this address space");
    spec.subnet = subnet.str();
    const std::string asked = spec.gateway;
    if (asked.empty()) spec.gateway = subnet.first().str();
    if (!subnet.usable(Ipv4::parse(spec.gateway)))
        throw Error(Code::invalid_argument, "no matching subnet for gateway " + asked);
    check_range(spec.ip_range, subnet);
}

void BridgeNetworks::State::choose_ipv6(NetworkSpec& spec, const std::vector<std::string>& bridges) const {
    require_ipv6();
    constexpr uint32_t kLeastMtu = 1280;  // RFC 8200, 5; the kernel turns IPv6 off below
    if (const uint32_t mtu = parse_network_options(spec.options).mtu; mtu != 0 && mtu < kLeastMtu)
        throw Error(Code::invalid_argument,
                    "IPv6 needs an MTU of at least 1280, and the network's is " + std::to_string(mtu));
    std::vector<Subnet6> taken;
    for (const auto& [id, network] : networks) {
        if (network.subnet6) taken.push_back(*network.subnet6);
    }
    std::vector<Subnet6> used = ipv6_subnets_in_use(bridges);
    Subnet6 subnet;
    if (spec.subnet6.empty()) {
        taken.insert(taken.end(), used.begin(), used.end());
        subnet = free_subnet(pool6, taken);
    } else {
        subnet = check_subnet6(spec.subnet6);
        // A part of what the host has on a link may be a network's; all of it, or an address that the host has, not.
        std::copy_if(used.begin(), used.end(), std::back_inserter(taken), [&](const Subnet6& other) {
            return subnet.contains(other.base) && other.prefix >= subnet.prefix;
        });
        if (std::any_of(taken.begin(), taken.end(), [&](const Subnet6& other) { return other.overlaps(subnet); }))
            throw Error(Code::conflict, "invalid pool request: Pool overlaps with other one on this address space");
    }
    spec.subnet6 = subnet.str();
    const std::string asked = spec.gateway6;
    spec.gateway6 = asked.empty() ? subnet.first().str() : Ipv6::parse(asked).str();
    if (!subnet.usable(Ipv6::parse(spec.gateway6)))
        throw Error(Code::invalid_argument, "no matching subnet for gateway " + asked);
    check_range6(spec.ip_range6, subnet);
}

}  // namespace kedge::runtime
