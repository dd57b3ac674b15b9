#pragma once

#include "runtime/networks/links.h"
#include "runtime/networks/netlink.h"

#include <linux/rtnetlink.h>

/// What is sent to the kernel's rtnetlink(7) about links, and how its answers are read.
namespace kedge::runtime {

/// Of that link (0: none yet), with these flags (IFF_UP) set.
ifinfomsg link_header(int index = 0, unsigned flags = 0);

MacAddress mac_bytes(Ipv4 address);
MacAddress mac_bytes(Ipv6 address);
/// Its own, or what its address makes.
MacAddress mac_bytes(const Endpoint& endpoint);
NetlinkMessage& put_mac(NetlinkMessage& message, int attribute, const MacAddress& mac);

Link parse_link(const nlmsghdr* message);
/// Throws Error if there is none.
Link look_up(NetlinkSocket& socket, const std::string& name);
std::vector<Link> links_of(NetlinkSocket& socket);

NetlinkMessage add_address(int index, Ipv4 address, Subnet subnet);
/// Usable at once: nobody else can have it, and asking around would take a second.
NetlinkMessage add_address(int index, Ipv6 address, Subnet6 subnet);
NetlinkMessage add_default_route(int index, Ipv4 gateway);
NetlinkMessage add_default_route(int index, Ipv6 gateway);
/// A pair of links: one is a port of the bridge, the other in the namespace.
NetlinkMessage add_veth(const Endpoint& endpoint, int bridge, int netns);
/// Tells a bridge what is behind this port: it may still have the same Ethernet address behind the link of a container
/// that is being taken down. Static (NOARP), as a link whose carrier isn't seen can't have another entry; it goes with
/// the link.
NetlinkMessage learn(int port, const MacAddress& mac);
/// Lets a container reach itself through a published port: the bridge sends a packet back through the link that it came
/// by.
NetlinkMessage reflect(int port);

}  // namespace kedge::runtime
