#include "runtime/networks/link_messages.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <type_traits>

namespace kedge::runtime {

namespace {

NetlinkMessage& put_address(NetlinkMessage& message, int attribute, Ipv4 address) {
    return message.put(attribute, htonl(address.bits));
}

NetlinkMessage& put_address(NetlinkMessage& message, int attribute, Ipv6 address) {
    const Ipv6::Bytes bytes = address.bytes();
    return message.put(attribute, bytes.data(), bytes.size());
}

std::string text_of(const nlattr* attribute) {
    return attribute ? std::string(nla_get_string(attribute)) : std::string();
}

template <typename One>
NetlinkMessage route_by(int index, One gateway) {
    rtmsg header{};
    header.rtm_family = std::is_same_v<One, Ipv6> ? AF_INET6 : AF_INET;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_BOOT;
    header.rtm_scope = RT_SCOPE_UNIVERSE;
    header.rtm_type = RTN_UNICAST;
    NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_address(message, RTA_GATEWAY, gateway);
    message.put(RTA_OIF, static_cast<uint32_t>(index));
    return message;
}

ifaddrmsg address_header(uint8_t family, int index, int prefix) {
    ifaddrmsg header{};
    header.ifa_family = family;
    header.ifa_prefixlen = static_cast<uint8_t>(prefix);
    header.ifa_index = static_cast<unsigned>(index);
    return header;
}

/// One queue in each direction, as a link has that nobody says anything of; but the kernel makes one of each for every
/// processor then, and waits for all processors when it takes them away again.
void put_queues(NetlinkMessage& message) {
    message.put(IFLA_NUM_TX_QUEUES, uint32_t{1}).put(IFLA_NUM_RX_QUEUES, uint32_t{1});
}

}  // namespace

ifinfomsg link_header(int index, unsigned flags) {
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = index;
    header.ifi_flags = flags;
    header.ifi_change = flags;
    return header;
}

MacAddress mac_bytes(Ipv4 address) {
    return parse_mac(mac_of(address)).value();
}

MacAddress mac_bytes(Ipv6 address) {
    return parse_mac(mac_of(address)).value();
}

MacAddress mac_bytes(const Endpoint& endpoint) {
    return endpoint.mac.value_or(mac_bytes(endpoint.address));
}

NetlinkMessage& put_mac(NetlinkMessage& message, int attribute, const MacAddress& mac) {
    return message.put(attribute, mac.data(), mac.size());
}

Link parse_link(const nlmsghdr* message) {
    Link link;
    link.index = static_cast<const ifinfomsg*>(nlmsg_data(message))->ifi_index;
    auto find = [&](int attribute) {
        return nlmsg_find_attr(const_cast<nlmsghdr*>(message), sizeof(ifinfomsg), attribute);
    };
    link.name = text_of(find(IFLA_IFNAME));
    link.alias = text_of(find(IFLA_IFALIAS));
    if (const nlattr* info = find(IFLA_LINKINFO)) {
        link.kind = text_of(nla_find(static_cast<nlattr*>(nla_data(info)), nla_len(info), IFLA_INFO_KIND));
    }
    if (const nlattr* state = find(IFLA_OPERSTATE)) link.operational = nla_get_u8(state) == IF_OPER_UP;
    if (const nlattr* master = find(IFLA_MASTER)) link.master = static_cast<int>(nla_get_u32(master));
    if (const nlattr* peer = find(IFLA_LINK)) link.peer = static_cast<int>(nla_get_u32(peer));
    return link;
}

Link look_up(NetlinkSocket& socket, const std::string& name) {
    NetlinkMessage message(RTM_GETLINK, 0, link_header());
    message.put(IFLA_IFNAME, name);
    Link link;
    socket.ask("look up link " + name, std::move(message), [&](const nlmsghdr* answer) { link = parse_link(answer); });
    return link;
}

std::vector<Link> links_of(NetlinkSocket& socket) {
    std::vector<Link> links;
    socket.ask("list links", {RTM_GETLINK, NLM_F_DUMP, link_header()},
               [&](const nlmsghdr* answer) { links.push_back(parse_link(answer)); });
    return links;
}

NetlinkMessage add_address(int index, Ipv4 address, Subnet subnet) {
    const ifaddrmsg header = address_header(AF_INET, index, subnet.prefix);
    NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_address(message, IFA_LOCAL, address);
    put_address(message, IFA_ADDRESS, address);
    put_address(message, IFA_BROADCAST, subnet.broadcast());
    return message;
}

NetlinkMessage add_address(int index, Ipv6 address, Subnet6 subnet) {
    ifaddrmsg header = address_header(AF_INET6, index, subnet.prefix);
    header.ifa_flags = IFA_F_NODAD;
    NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_address(message, IFA_LOCAL, address);
    put_address(message, IFA_ADDRESS, address);
    return message;
}

NetlinkMessage add_default_route(int index, Ipv4 gateway) {
    return route_by(index, gateway);
}

NetlinkMessage add_default_route(int index, Ipv6 gateway) {
    return route_by(index, gateway);
}

NetlinkMessage add_veth(const Endpoint& endpoint, int bridge, int netns) {
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_header(0, IFF_UP));
    message.put(IFLA_IFNAME, endpoint.host_name).put(IFLA_MASTER, static_cast<uint32_t>(bridge));
    put_queues(message);
    if (endpoint.mtu != 0) message.put(IFLA_MTU, endpoint.mtu);
    message.nest(IFLA_LINKINFO, [&] {
        message.put(IFLA_INFO_KIND, std::string("veth"));
        message.nest(IFLA_INFO_DATA, [&] {
            const ifinfomsg peer = link_header();  // it can't be up before the pair exists
            message.nest(VETH_INFO_PEER,
                         [&] {
                             message.put(IFLA_IFNAME, endpoint.name).put(IFLA_NET_NS_FD, static_cast<uint32_t>(netns));
                             put_queues(message);
                             put_mac(message, IFLA_ADDRESS, mac_bytes(endpoint));
                             if (endpoint.mtu != 0) message.put(IFLA_MTU, endpoint.mtu);
                         },
                         {reinterpret_cast<const char*>(&peer), sizeof peer});
        });
    });
    return message;
}

NetlinkMessage learn(int port, const MacAddress& mac) {
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = port;
    header.ndm_state = NUD_NOARP;
    header.ndm_flags = NTF_MASTER;
    NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_mac(message, NDA_LLADDR, mac);
    return message;
}

NetlinkMessage reflect(int port) {
    ifinfomsg header = link_header(port);
    header.ifi_family = AF_BRIDGE;
    NetlinkMessage message(RTM_SETLINK, 0, header);
    const uint8_t on = 1;
    message.nest(NLA_F_NESTED | IFLA_PROTINFO, [&] { message.put(IFLA_BRPORT_MODE, &on, sizeof on); });
    return message;
}

}  // namespace kedge::runtime
