#include "base/netns.h"
#include "runtime/networks/ipv6_arrival.h"
#include "runtime/networks/link_messages.h"
#include "runtime/networks/network_sysctls.h"

#include <fcntl.h>
#include <linux/if.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace kedge::runtime {

namespace {

constexpr std::chrono::milliseconds kCarrierPatience{500};

/// A link passes packets only once a kernel thread has seen its carrier, which may take long on a busy machine; what
/// the container sends before is lost, and sent again a second later. Newer kernels (6.8) catch up when they are asked
/// for the link, on older ones the notice has to be waited for.
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
        const int index = indices.emplace_back(look_up(inside, endpoint.name).index);
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
        links.push_back(add_veth(endpoint, look_up(host, endpoint.bridge).index, netns));
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
