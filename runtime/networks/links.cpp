#include "runtime/networks/links.h"

#include "base/error.h"
#include "runtime/networks/link_messages.h"
#include "runtime/networks/network_sysctls.h"

#include <linux/if.h>
#include <linux/if_link.h>

#include <algorithm>
#include <set>

namespace kedge::runtime {

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
    const int index = look_up(socket, name).index;
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

}  // namespace kedge::runtime
