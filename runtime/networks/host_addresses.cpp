#include "runtime/networks/host_addresses.h"

#include "runtime/networks/links.h"
#include "runtime/networks/netlink.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <functional>

namespace kedge::runtime {

namespace {

Ipv6::Bytes bytes_of(const nlattr* attribute) {
    Ipv6::Bytes bytes{};
    (void)nla_memcpy(bytes.data(), attribute, bytes.size());
    return bytes;
}

}  // namespace

std::vector<Address> host_addresses(int family) {
    std::vector<Address> addresses;
    ifaddrmsg header{};
    header.ifa_family = static_cast<uint8_t>(family);
    NetlinkSocket(NETLINK_ROUTE).ask("list addresses", {RTM_GETADDR, NLM_F_DUMP, header}, [&](const nlmsghdr* answer) {
        auto find = [&](int attribute) {
            return nlmsg_find_attr(const_cast<nlmsghdr*>(answer), sizeof header, attribute);
        };
        if (family == AF_INET6) {
            if (const nlattr* address = find(IFA_ADDRESS)) addresses.emplace_back(Ipv6::of(bytes_of(address)));
        } else if (const nlattr* local = find(IFA_LOCAL)) {
            addresses.emplace_back(Ipv4{ntohl(nla_get_u32(local))});
        }
    });
    return addresses;
}

namespace {

/// The destinations of the host's routes, those through `own_links` and the default ones aside. The kernel has a route
/// for every address, so routes tell it all, the local table's included.
void each_route(int family, const std::vector<std::string>& own_links,
                const std::function<void(const nlattr* destination, int prefix)>& sink) {
    std::vector<int> own;
    for (const Link& link : list_links()) {
        if (std::find(own_links.begin(), own_links.end(), link.name) != own_links.end()) own.push_back(link.index);
    }
    rtmsg header{};
    header.rtm_family = static_cast<uint8_t>(family);
    NetlinkSocket(NETLINK_ROUTE).ask("list routes", {RTM_GETROUTE, NLM_F_DUMP, header}, [&](const nlmsghdr* answer) {
        auto* info = static_cast<const rtmsg*>(nlmsg_data(answer));
        auto find = [&](int attribute) {
            return nlmsg_find_attr(const_cast<nlmsghdr*>(answer), sizeof *info, attribute);
        };
        const nlattr* destination = find(RTA_DST);
        if (!destination || info->rtm_dst_len == 0 || info->rtm_type == RTN_MULTICAST) return;
        const nlattr* out = find(RTA_OIF);
        if (out && std::find(own.begin(), own.end(), static_cast<int>(nla_get_u32(out))) != own.end()) return;
        sink(destination, info->rtm_dst_len);
    });
}

}  // namespace

std::vector<Subnet> subnets_in_use(const std::vector<std::string>& own_links) {
    std::vector<Subnet> subnets;
    each_route(AF_INET, own_links, [&](const nlattr* destination, int prefix) {
        subnets.push_back({{ntohl(nla_get_u32(destination))}, prefix});
    });
    return subnets;
}

std::vector<Subnet6> ipv6_subnets_in_use(const std::vector<std::string>& own_links) {
    std::vector<Subnet6> subnets;
    each_route(AF_INET6, own_links, [&](const nlattr* destination, int prefix) {
        subnets.push_back({Ipv6::of(bytes_of(destination)), prefix});
    });
    return subnets;
}

}  // namespace kedge::runtime
