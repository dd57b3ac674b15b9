#include "runtime/networks/links.h"

#include "base/error.h"
#include "base/netns.h"
#include "runtime/networks/ipv6_arrival.h"
#include "runtime/networks/netlink.h"
#include "runtime/networks/network_sysctls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <set>
#include <type_traits>

namespace kedge::runtime {

namespace {

constexpr std::chrono::milliseconds kCarrierPatience{500};

ifinfomsg link_header(int index = 0, unsigned flags = 0) {
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = index;
    header.ifi_flags = flags;
    header.ifi_change = flags;
    return header;
}

template <typename One>
MacAddress mac_bytes(One address) {
    return parse_mac(mac_of(address)).value();
}

NetlinkMessage& put_address(NetlinkMessage& message, int attribute, Ipv4 address) {
    return message.put(attribute, htonl(address.bits));
}

NetlinkMessage& put_address(NetlinkMessage& message, int attribute, Ipv6 address) {
    const Ipv6::Bytes bytes = address.bytes();
    return message.put(attribute, bytes.data(), bytes.size());
}

NetlinkMessage& put_mac(NetlinkMessage& message, int attribute, const MacAddress& mac) {
    return message.put(attribute, mac.data(), mac.size());
}

MacAddress mac_bytes(const Endpoint& endpoint) {
    return endpoint.mac.value_or(mac_bytes(endpoint.address));
}

std::string text_of(const nlattr* attribute) {
    return attribute ? std::string(nla_get_string(attribute)) : std::string();
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

int index_of(NetlinkSocket& socket, const std::string& name) {
    return look_up(socket, name).index;
}

// A link passes packets only once a kernel thread has seen its carrier, which may take long on a busy machine; what the
// container sends before is lost, and sent again a second later. Newer kernels (6.8) catch up when they are asked for
// the link, on older ones the notice has to be waited for.
int wait_until_operational(NetlinkSocket& socket, const std::string& name) {
    Link link = look_up(socket, name);
    if (link.operational) return link.index;
    NetlinkSocket notices(NETLINK_ROUTE);
    notices.subscribe(RTNLGRP_LINK);
    const auto deadline = std::chrono::steady_clock::now() + kCarrierPatience;
    do {
        link = look_up(socket, name);
    } while (!link.operational && notices.wait_until(deadline));
    return link.index;
}

NetlinkMessage add_address(int index, Ipv4 address, Subnet subnet) {
    ifaddrmsg header{};
    header.ifa_family = AF_INET;
    header.ifa_prefixlen = static_cast<uint8_t>(subnet.prefix);
    header.ifa_index = static_cast<unsigned>(index);
    NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_address(message, IFA_LOCAL, address);
    put_address(message, IFA_ADDRESS, address);
    put_address(message, IFA_BROADCAST, subnet.broadcast());
    return message;
}

// Usable at once: nobody else can have it, and asking around would take a second.
NetlinkMessage add_address(int index, Ipv6 address, Subnet6 subnet) {
    ifaddrmsg header{};
    header.ifa_family = AF_INET6;
    header.ifa_prefixlen = static_cast<uint8_t>(subnet.prefix);
    header.ifa_index = static_cast<unsigned>(index);
    header.ifa_flags = IFA_F_NODAD;
    NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_address(message, IFA_LOCAL, address);
    put_address(message, IFA_ADDRESS, address);
    return message;
}

template <typename One>
NetlinkMessage add_default_route(int index, One gateway) {
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

/// One queue in each direction, as a link has that nobody says anything of; but the kernel makes one of each for every
/// processor then, and waits for all processors when it takes them away again.
void put_queues(NetlinkMessage& message) {
    message.put(IFLA_NUM_TX_QUEUES, uint32_t{1}).put(IFLA_NUM_RX_QUEUES, uint32_t{1});
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

// The bridge may still have the same Ethernet address behind the link of a container that is being taken down. Static
// (NOARP), as a link whose carrier isn't seen can't have another entry; it goes with the link.
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

// Lets a container reach itself through a published port: the bridge sends a packet back through the link that it came
// by.
NetlinkMessage reflect(int port) {
    ifinfomsg header = link_header(port);
    header.ifi_family = AF_BRIDGE;
    NetlinkMessage message(RTM_SETLINK, 0, header);
    const uint8_t on = 1;
    message.nest(NLA_F_NESTED | IFLA_PROTINFO, [&] { message.put(IFLA_BRPORT_MODE, &on, sizeof on); });
    return message;
}

std::vector<Link> links_of(NetlinkSocket& socket) {
    std::vector<Link> links;
    socket.ask("list links", {RTM_GETLINK, NLM_F_DUMP, link_header()},
               [&](const nlmsghdr* answer) { links.push_back(parse_link(answer)); });
    return links;
}

}  // namespace

std::vector<Link> list_links() {
    NetlinkSocket socket(NETLINK_ROUTE);
    return links_of(socket);
}

bool is_link(const std::string& name) {
    std::vector<Link> links = list_links();
    return std::any_of(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
}

std::string free_link_name(int netns) {
    NetlinkSocket inside(NETLINK_ROUTE, netns);
    std::set<std::string> taken;
    for (Link& link : links_of(inside)) taken.insert(std::move(link.name));
    for (int number = 0;; ++number) {
        std::string name = "eth" + std::to_string(number);
        if (!taken.contains(name)) return name;
    }
}

void set_default_route(const std::string& host_link, const Address& gateway, int netns, bool reflects) {
    NetlinkSocket host(NETLINK_ROUTE);
    const Link link = look_up(host, host_link);
    NetlinkSocket(NETLINK_ROUTE, netns)
        .send("set default route of container",
              std::visit([&](auto to) { return add_default_route(link.peer, to); }, gateway));
    if (reflects) host.send("configure bridge port " + host_link, reflect(link.index));
}

void make_bridge(const std::string& name, const std::string& alias, Ipv4 gateway, Subnet subnet, uint32_t mtu,
                 const std::optional<Ends6>& ipv6) {
    NetlinkSocket socket(NETLINK_ROUTE);
    NetlinkMessage create(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_header());
    create.put(IFLA_IFNAME, name);
    // Fixed: a bridge without an address of its own changes it as links come and go.
    put_mac(create, IFLA_ADDRESS, gateway.any() && ipv6 ? mac_bytes(ipv6->address) : mac_bytes(gateway));
    create.nest(IFLA_LINKINFO, [&] { create.put(IFLA_INFO_KIND, std::string("bridge")); });
    try {
        socket.send("create bridge " + name, std::move(create));
    } catch (const Error& e) {
        if (e.code() != Code::conflict) throw;  // it is there already
    }
    write_sysctl("ipv4/conf/" + name + "/route_localnet", "1");
    const std::string settings6 = "ipv6/conf/" + name + "/";
    try {
        write_sysctl(settings6 + "disable_ipv6", ipv6 ? "0" : "1");
        if (ipv6) {
            write_sysctl(settings6 + "accept_ra", "0");   // no container tells the host its routes
            write_sysctl(settings6 + "accept_dad", "0");  // until its own address is sure it would ask for no other
        }
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        if (ipv6) require_ipv6();
    }
    const int index = index_of(socket, name);
    NetlinkMessage set(RTM_SETLINK, 0, link_header(index, IFF_UP));
    set.put(IFLA_IFALIAS, alias);
    if (mtu != 0) set.put(IFLA_MTU, mtu);
    std::vector<NetlinkMessage> messages;
    if (!gateway.any()) messages.push_back(add_address(index, gateway, subnet));
    if (ipv6) messages.push_back(add_address(index, ipv6->address, ipv6->subnet));
    messages.push_back(std::move(set));
    socket.send("configure bridge " + name, messages);
}

void remove_link(const std::string& name) {
    NetlinkMessage message(RTM_DELLINK, 0, link_header());
    message.put(IFLA_IFNAME, name);
    try {
        NetlinkSocket(NETLINK_ROUTE).send("remove link " + name, std::move(message));
    } catch (const Error& e) {
        if (std::string_view(e.what()).find("No such device") == std::string_view::npos) throw;
    }
}

namespace {

/// What is inside of a container's namespace: the sockets that were opened there.
struct Inside {
    Fd netlink;
    Fd new_links;  // whether links that are made inside have IPv6
    Ipv6Arrival ipv6;
};

Inside open_inside(const std::vector<Endpoint>& endpoints, int netns) {
    Inside inside;
    auto with_ipv6 = [](const Endpoint& e) { return e.ipv6.has_value(); };
    auto without = [](const Endpoint& e) { return !e.ipv6 && !e.keeps_ipv6; };
    inside.netlink = socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, [&] {
        if (std::any_of(endpoints.begin(), endpoints.end(), without))
            inside.new_links = Fd(::open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_RDWR | O_CLOEXEC));
        if (std::any_of(endpoints.begin(), endpoints.end(), with_ipv6)) inside.ipv6.open_here();
    });
    return inside;
}

/// What makes loopback and the far ends work.
std::vector<NetlinkMessage> far_ends(NetlinkSocket& inside, const std::vector<Endpoint>& endpoints,
                                     std::vector<int>& indices) {
    std::vector<NetlinkMessage> messages;
    messages.emplace_back(RTM_SETLINK, 0, link_header(1, IFF_UP));  // loopback is always the first
    for (const Endpoint& endpoint : endpoints) {
        const int index = indices.emplace_back(index_of(inside, endpoint.name));
        messages.emplace_back(RTM_SETLINK, 0, link_header(index, IFF_UP));
        if (!endpoint.address.any()) messages.push_back(add_address(index, endpoint.address, endpoint.subnet));
        if (!endpoint.default_gateway.any()) messages.push_back(add_default_route(index, endpoint.default_gateway));
        if (!endpoint.ipv6) continue;
        messages.push_back(add_address(index, endpoint.ipv6->address, endpoint.ipv6->subnet));
        if (!endpoint.ipv6->default_gateway.any())
            messages.push_back(add_default_route(index, endpoint.ipv6->default_gateway));
    }
    return messages;
}

/// The settings of far ends that have IPv6, before they are up.
void allow_ipv6(const std::vector<Endpoint>& endpoints, int netns) {
    for (const Endpoint& endpoint : endpoints) {
        if (!endpoint.ipv6) continue;
        const std::string path = "ipv6/conf/" + endpoint.name + "/";
        write_net_settings(netns, {{path + "disable_ipv6", "0"}, {path + "accept_ra", "0"}});
    }
}

}  // namespace

void connect_namespace(const std::vector<Endpoint>& endpoints, int netns) {
    NetlinkSocket host(NETLINK_ROUTE);
    Inside opened = open_inside(endpoints, netns);
    NetlinkSocket inside(std::move(opened.netlink));
    std::vector<NetlinkMessage> links, ports;
    for (const Endpoint& endpoint : endpoints)
        links.push_back(add_veth(endpoint, index_of(host, endpoint.bridge), netns));
    {
        const NoIpv6ForNewLinks meanwhile(std::move(opened.new_links));
        host.send("create links", links);
    }
    allow_ipv6(endpoints, netns);
    std::vector<int> indices;
    inside.send("configure links of container", far_ends(inside, endpoints, indices));
    for (const Endpoint& endpoint : endpoints) {
        std::vector<std::pair<std::string, std::string>> settings = endpoint.settings;
        for (auto& [path, value] : settings) path.replace(path.find("IFNAME"), 6, endpoint.name);
        if (!settings.empty()) write_net_settings(netns, settings);
    }
    std::vector<Ipv6> arriving;
    for (const Endpoint& endpoint : endpoints) {
        if (endpoint.ipv6) arriving.push_back(endpoint.ipv6->address);
    }
    opened.ipv6.wait(std::move(arriving));
    for (const Endpoint& endpoint : endpoints) {
        const int port = wait_until_operational(host, endpoint.host_name);
        ports.push_back(learn(port, mac_bytes(endpoint)));
        if (endpoint.reflects) ports.push_back(reflect(port));
        (void)wait_until_operational(host, endpoint.bridge);  // with its first port it gets a carrier, too
    }
    host.send("configure bridge ports", ports);
    for (size_t i = 0; i < endpoints.size(); ++i) {
        const Endpoint& endpoint = endpoints[i];
        if (endpoint.ipv6) opened.ipv6.announce(indices[i], endpoint.ipv6->address, mac_bytes(endpoint));
    }
}

}  // namespace kedge::runtime
