#include "runtime/networks/ipv6_arrival.h"

#include "base/error.h"
#include "runtime/networks/netlink.h"
#include "runtime/networks/socket_address.h"

#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace kedge::runtime {

namespace {

constexpr std::chrono::milliseconds kPatience{500};
constexpr int kOnLink = 255;  // hops of a packet that no router passed (RFC 4861, 7.1)

}  // namespace

Ipv6Arrival::Ipv6Arrival() = default;
Ipv6Arrival::Ipv6Arrival(Ipv6Arrival&&) noexcept = default;
Ipv6Arrival::~Ipv6Arrival() = default;

void Ipv6Arrival::open_here() noexcept {
    try {
        notices_ = std::make_unique<NetlinkSocket>(NETLINK_ROUTE);
        notices_->subscribe(RTNLGRP_IPV6_IFADDR);
    } catch (const std::exception&) {
        notices_.reset();
    }
    raw_ = Fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
}

void Ipv6Arrival::wait(std::vector<Ipv6> addresses) {
    if (!notices_) return;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    auto arrived = [&](const nlmsghdr* notice) {
        if (notice->nlmsg_type != RTM_NEWADDR) return;
        const nlattr* found = nlmsg_find_attr(const_cast<nlmsghdr*>(notice), sizeof(ifaddrmsg), IFA_ADDRESS);
        Ipv6::Bytes bytes{};
        if (!found || nla_memcpy(bytes.data(), found, bytes.size()) != static_cast<int>(bytes.size())) return;
        std::erase(addresses, Ipv6::of(bytes));
    };
    while (!addresses.empty() && notices_->wait_until(deadline, arrived)) continue;
}

void Ipv6Arrival::announce(int link, Ipv6 address, const MacAddress& mac) const {
    if (!raw_) return;
    struct {
        nd_neighbor_advert head{};
        nd_opt_hdr option{};
        MacAddress mac{};
    } message;
    static_assert(sizeof message == 32);
    message.head.nd_na_type = ND_NEIGHBOR_ADVERT;
    message.head.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    message.head.nd_na_target = to_wire(address);
    message.option.nd_opt_type = ND_OPT_TARGET_LINKADDR;
    message.option.nd_opt_len = 1;
    message.mac = mac;
    sockaddr_in6 own{}, all{};
    own.sin6_family = all.sin6_family = AF_INET6;
    own.sin6_addr = to_wire(address);
    all.sin6_addr = to_wire(Ipv6::parse("ff02::1"));
    all.sin6_scope_id = static_cast<unsigned>(link);
    (void)::setsockopt(raw_.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &kOnLink, sizeof kOnLink);
    if (::bind(raw_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return;
    (void)::sendto(raw_.get(), &message, sizeof message, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&all),
                   sizeof all);
}

}  // namespace kedge::runtime
