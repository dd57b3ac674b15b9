#pragma once

#include "runtime/networks/endpoint_options.h"
#include "runtime/networks/ipv6.h"

#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Virtual links, by rtnetlink. All functions throw Error. Thread-safe: each opens its own socket in the current
/// network namespace.

struct Link {
    int index = 0;
    std::string name;
    std::string kind;  ///< `bridge`, `veth`, ...; empty for a real one
    std::string alias;
    int master = 0;  ///< index of the bridge that it is in
    int peer = 0;    ///< index of a pair's other end, in its own network namespace
    bool operational = false;
};
std::vector<Link> list_links();

/// What of a link is IPv6.
struct Ends6 {
    Ipv6 address;
    Subnet6 subnet;
    Ipv6 default_gateway = {};  ///< any(): no default route through it
    bool operator==(const Ends6&) const = default;
};

/// Makes what is missing of a bridge: the link with `alias`, its addresses, up. `gateway` any(): none of IPv4. Without
/// `ipv6` a container on it reaches no IPv6 of the host's. Published ports can be reached by way of 127.0.0.1. An `mtu`
/// of 0 is the kernel's own choice, here and below.
void make_bridge(const std::string& name, const std::string& alias, Ipv4 gateway, Subnet subnet, uint32_t mtu = 0,
                 const std::optional<Ends6>& ipv6 = {});
/// Waits for the kernel's grace periods (tens of milliseconds): never while a container starts or stops.
/// A link that is gone is fine.
void remove_link(const std::string& name);

/// One end of a pair for a container.
struct Endpoint {
    std::string host_name;
    std::string bridge;
    std::string name;  ///< inside: eth0, eth1, ...
    Ipv4 address;      ///< any(): none of IPv4
    Subnet subnet;
    Ipv4 default_gateway;  ///< any(): no default route through it
    uint32_t mtu = 0;
    bool reflects = false;               ///< it may be reached from itself through one of its published ports
    std::optional<MacAddress> mac = {};  ///< empty: from its IPv4 address
    std::vector<std::pair<std::string, std::string>> settings = {};  ///< see EndpointOptions
    std::optional<Ends6> ipv6 = {};                                  ///< empty: its far end has no IPv6 at all
    bool keeps_ipv6 = false;                                         ///< without `ipv6`: that is left as it is
};
/// Makes the pairs with their far ends directly inside `netns`, and configures those; loopback is brought up.
void connect_namespace(const std::vector<Endpoint>& endpoints, int netns);

/// Whether the host has a link of this name.
bool is_link(const std::string& name);
/// The first of eth0, eth1, ... that is not used inside.
std::string free_link_name(int netns);
/// The default route of `netns` leads to this gateway from now on, through the far end of the pair whose near end is
/// `host_link`. `reflects`: see Endpoint.
void set_default_route(const std::string& host_link, const Address& gateway, int netns, bool reflects);

}  // namespace kedge::runtime
