#include "runtime/networks/conntrack.h"

#include "base/error.h"
#include "runtime/networks/links.h"
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
    Ipv4 source, destination;
    uint16_t source_port = 0, destination_port = 0;
};

// One direction of a UDP flow; empty for anything else.
std::optional<Side> parse_side(nlattr* tuple) {
    nlattr* addresses = child(tuple, CTA_TUPLE_IP);
    nlattr* protocol = child(tuple, CTA_TUPLE_PROTO);
    nlattr* number = child(protocol, CTA_PROTO_NUM);
    nlattr* source = child(addresses, CTA_IP_V4_SRC);
    nlattr* destination = child(addresses, CTA_IP_V4_DST);
    nlattr* source_port = child(protocol, CTA_PROTO_SRC_PORT);
    nlattr* destination_port = child(protocol, CTA_PROTO_DST_PORT);
    if (!number || nla_get_u8(number) != IPPROTO_UDP || !source || !destination || !source_port || !destination_port)
        return {};
    return Side{{ntohl(nla_get_u32(source))},
                {ntohl(nla_get_u32(destination))},
                ntohs(nla_get_u16(source_port)),
                ntohs(nla_get_u16(destination_port))};
}

nfgenmsg family_header() {
    nfgenmsg header{};
    header.nfgen_family = AF_INET;
    header.version = NFNETLINK_V0;
    return header;
}

bool stale(const Side& there, const Side& back, const Firewall::Changes& changes, const std::vector<Ipv4>& own) {
    for (const auto& [port, backend] : changes) {
        if (port.protocol != Protocol::udp || port.port != there.destination_port) continue;
        const bool here = port.address.any() ? std::find(own.begin(), own.end(), there.destination) != own.end()
                                             : port.address == there.destination;
        if (here && !(backend && backend->address == back.source && backend->port == back.source_port)) return true;
    }
    return false;
}

}  // namespace

void forget_stale_flows(const Firewall::Changes& changes) {
    auto udp = [](const auto& change) { return change.first.protocol == Protocol::udp; };
    if (std::none_of(changes.begin(), changes.end(), udp)) return;
    try {
        const std::vector<Ipv4> own = host_addresses();
        std::vector<NetlinkMessage> removals;
        NetlinkSocket socket(NETLINK_NETFILTER);
        socket.ask("list flows", {message_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, family_header()},
                   [&](const nlmsghdr* answer) {
                       auto find = [&](int attribute) {
                           return nlmsg_find_attr(const_cast<nlmsghdr*>(answer), sizeof(nfgenmsg), attribute);
                       };
                       nlattr* original = find(CTA_TUPLE_ORIG);
                       auto there = parse_side(original);
                       auto back = parse_side(find(CTA_TUPLE_REPLY));
                       if (!there || !back || !stale(*there, *back, changes, own)) return;
                       removals.emplace_back(message_type(IPCTNL_MSG_CT_DELETE), 0, family_header());
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
    } catch (const Error&) {
        // best effort, as the header says
    }
}

}  // namespace kedge::runtime
