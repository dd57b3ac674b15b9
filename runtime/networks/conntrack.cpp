#include "runtime/networks/conntrack.h"

#include "base/error.h"
#include "runtime/networks/host_addresses.h"
#include "runtime/networks/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <optional>
#include <string>

namespace kedge::runtime {

namespace {

constexpr int message_type(int message) {
    return NFNL_SUBSYS_CTNETLINK << 8 | message;
}

nlattr* child(nlattr* parent, int attribute) {
    return parent ? nla_find(static_cast<nlattr*>(nla_data(parent)), nla_len(parent), attribute) : nullptr;
}

struct Side {
    Address source, destination;
    uint16_t source_port = 0, destination_port = 0;
};

std::optional<Address> parse_end(nlattr* addresses, int ipv4, int ipv6) {
    Ipv6::Bytes bytes{};
    if (nlattr* found = child(addresses, ipv4)) return Ipv4{ntohl(nla_get_u32(found))};
    nlattr* found = child(addresses, ipv6);
    if (!found || nla_memcpy(bytes.data(), found, bytes.size()) != static_cast<int>(bytes.size())) return {};
    return Ipv6::of(bytes);
}

// One direction of a UDP flow; empty for anything else.
std::optional<Side> parse_side(nlattr* tuple) {
    nlattr* addresses = child(tuple, CTA_TUPLE_IP);
    nlattr* protocol = child(tuple, CTA_TUPLE_PROTO);
    nlattr* number = child(protocol, CTA_PROTO_NUM);
    const std::optional<Address> source = parse_end(addresses, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
    const std::optional<Address> destination = parse_end(addresses, CTA_IP_V4_DST, CTA_IP_V6_DST);
    nlattr* source_port = child(protocol, CTA_PROTO_SRC_PORT);
    nlattr* destination_port = child(protocol, CTA_PROTO_DST_PORT);
    if (!number || nla_get_u8(number) != IPPROTO_UDP || !source || !destination || !source_port || !destination_port)
        return {};
    return Side{*source, *destination, ntohs(nla_get_u16(source_port)), ntohs(nla_get_u16(destination_port))};
}

nfgenmsg family_header(int family) {
    nfgenmsg header{};
    header.nfgen_family = static_cast<uint8_t>(family);
    header.version = NFNETLINK_V0;
    return header;
}

bool stale(const Side& there, const Side& back, const Firewall::Changes& changes, const std::vector<Address>& own) {
    for (const auto& [port, backend] : changes) {
        if (port.protocol != Protocol::udp || port.port != there.destination_port ||
            is_ipv6(port.address) != is_ipv6(there.destination))
            continue;
        const bool here = is_any(port.address) ? std::find(own.begin(), own.end(), there.destination) != own.end()
                                               : port.address == there.destination;
        if (here && !(backend && backend->address == back.source && backend->port == back.source_port)) return true;
    }
    return false;
}

void forget_flows(const Firewall::Changes& changes, int family) {
    const std::vector<Address> own = host_addresses(family);
    std::vector<NetlinkMessage> removals;
    NetlinkSocket socket(NETLINK_NETFILTER);
    socket.ask("list flows", {message_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, family_header(family)},
               [&](const nlmsghdr* answer) {
                   auto find = [&](int attribute) {
                       return nlmsg_find_attr(const_cast<nlmsghdr*>(answer), sizeof(nfgenmsg), attribute);
                   };
                   nlattr* original = find(CTA_TUPLE_ORIG);
                   auto there = parse_side(original);
                   auto back = parse_side(find(CTA_TUPLE_REPLY));
                   if (!there || !back || !stale(*there, *back, changes, own)) return;
                   removals.emplace_back(message_type(IPCTNL_MSG_CT_DELETE), 0, family_header(family));
                   removals.back().put(NLA_F_NESTED | CTA_TUPLE_ORIG, nla_data(original),
                                       static_cast<size_t>(nla_len(original)));
               });
    for (NetlinkMessage& removal : removals) {
        try {
            socket.send("forget flow", std::move(removal));
        } catch (const Error&) {
            // it ended by itself meanwhile
        }
    }
}

}  // namespace

void forget_stale_flows(const Firewall::Changes& changes, bool ipv6) {
    for (const int family : {AF_INET, AF_INET6}) {
        auto concerns = [&](const auto& change) {
            return change.first.protocol == Protocol::udp && is_ipv6(change.first.address) == (family == AF_INET6);
        };
        if ((family == AF_INET6 && !ipv6) || std::none_of(changes.begin(), changes.end(), concerns)) continue;
        try {
            forget_flows(changes, family);
        } catch (const Error&) {
            // best effort, as the header says
        }
    }
}

}  // namespace kedge::runtime
