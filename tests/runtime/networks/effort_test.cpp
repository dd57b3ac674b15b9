#include "runtime/networks/netlink.h"
#include "world.h"

#include "base/digest.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <chrono>
#include <set>

using namespace kedge;
using namespace kedge::runtime;

namespace {

// What makes a start or a stop slow is told by what it asks the kernel for: times would tell of the machine's other
// work.
using Effort = World;

/// Grows by one with every transaction of nftables in this network namespace.
uint32_t generation() {
    nfgenmsg header{AF_UNSPEC, NFNETLINK_V0, 0};
    uint32_t id = 0;
    NetlinkSocket socket(NETLINK_NETFILTER);
    socket.ask("generation", NetlinkMessage((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, 0, header),
               [&](const nlmsghdr* message) {
                   nlattr* found = ::nlmsg_find_attr(const_cast<nlmsghdr*>(message), sizeof header, NFTA_GEN_ID);
                   if (found) id = ntohl(::nla_get_u32(found));
               });
    return id;
}

std::set<std::string> links() {
    std::set<std::string> names;
    struct if_nameindex* list = ::if_nameindex();
    for (auto* entry = list; entry && entry->if_index; ++entry) names.insert(entry->if_name);
    ::if_freenameindex(list);
    return names;
}

}  // namespace

TEST_F(Effort, PortsComeMoveAndGoInOneTransactionEachAndNoneIsMadeWithoutThem) {
    network("a");
    uint32_t before = generation();
    Box quiet = start("quiet", {{"a", {}, {}}});
    networks->disconnect(quiet.id());
    EXPECT_EQ(generation(), before) << "a container without ports changed the firewall";

    std::vector<PortBinding> ports{
        {{}, 80, 80, Protocol::tcp}, {{}, 81, 81, Protocol::tcp}, {{}, 82, 82, Protocol::udp}};
    Box blue = start("blue", {{"a", {}, {}}}, ports);
    EXPECT_EQ(generation(), before + 1);
    Box green = start("green", {{"a", {}, {}}}, ports, false);
    EXPECT_EQ(generation(), before + 1) << "ports that are not published yet changed the firewall";
    networks->move_ports(blue.id(), green.id());
    EXPECT_EQ(generation(), before + 2);
    networks->disconnect(blue.id());
    EXPECT_EQ(generation(), before + 2) << "its ports are another's";
    networks->disconnect(green.id());
    EXPECT_EQ(generation(), before + 3);
}

TEST_F(Effort, ALinkIsLeftToTheKernelAndGoesWithItsNamespace) {
    network("a");
    std::set<std::string> before = links();
    Box box = start("box", {{"a", {}, {}}});
    std::set<std::string> with_box = links();
    ASSERT_EQ(with_box.size(), before.size() + 1);
    networks->disconnect(box.id());
    EXPECT_EQ(links(), with_box) << "it was deleted, which is waited for under a lock of all networks";

    NetlinkSocket notices(NETLINK_ROUTE);
    notices.subscribe(RTNLGRP_LINK);
    box.netns.reset();
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (links() != before) ASSERT_TRUE(notices.wait_until(deadline)) << "the link is still there";
}
