#include "world.h"

#include "base/error.h"
#include "base/netns.h"
#include "dns_client.h"
#include "runtime/networks/ipv6.h"
#include "runtime/networks/netlink.h"
#include "runtime/networks/socket_address.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using Ipv6Networks = World;

PortBinding tcp(uint16_t host_port, uint16_t container_port, const std::string& host_ip = {}) {
    return {host_ip, host_port, container_port, Protocol::tcp};
}

PortBinding udp(uint16_t host_port, uint16_t container_port) {
    return {{}, host_port, container_port, Protocol::udp};
}

std::string setting(int netns, const std::string& path) {
    std::string value;
    inside(netns, [&] {
        Fd file(::open(("/proc/sys/net/" + path).c_str(), O_RDONLY | O_CLOEXEC));
        value = file ? read_all(file.get(), 64) : "none";
    });
    while (value.ends_with('\n')) value.pop_back();
    return value;
}

/// Routes everything by way of the host, in the current namespace.
void route_by_host() {
    rtmsg header{};
    header.rtm_family = AF_INET6;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_type = RTN_UNICAST;
    NetlinkMessage route(RTM_NEWROUTE, NLM_F_CREATE, header);
    const Ipv6::Bytes host = Ipv6::parse("2001:db8::1").bytes();
    route.put(RTA_GATEWAY, host.data(), host.size());
    NetlinkSocket(NETLINK_ROUTE).send("add route", std::move(route));
}

}  // namespace

TEST_F(Ipv6Networks, ContainersReachEachOtherAndTheWayOut) {
    network6("front");
    network6("back");
    network6("closed", {}, true);
    Box web = start("web", {{"front", {}, {}}});
    Box client = start("client", {{"front", {}, {}}});
    Box stranger = start("stranger", {{"back", {}, {}}});
    Box shut = start("shut", {{"closed", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    Service outer(outside.get(), Protocol::tcp, 80, "outside", "::");
    EXPECT_EQ(ask(client.netns.get(), web.ip6(), 80), "web " + client.ip6());
    EXPECT_EQ(ask(web.netns.get(), "::1", 80), "web ::1") << "loopback is up";
    EXPECT_EQ(ask(host.get(), web.ip6(), 80), "web " + web.attached.endpoints[0].gateway6);
    EXPECT_EQ(ask(client.netns.get(), "2001:db8::2", 80), "outside 2001:db8::1");
    EXPECT_EQ(ask(stranger.netns.get(), web.ip6(), 80, Protocol::tcp, 200), "timeout");
    EXPECT_EQ(ask(shut.netns.get(), "2001:db8::2", 80), "Network is unreachable");
    inside(outside.get(), [&] { route_by_host(); });
    EXPECT_EQ(ask(outside.get(), web.ip6(), 80, Protocol::tcp, 200), "timeout") << "who knows the way comes no further";
}

TEST_F(Ipv6Networks, APublishedPortIsReachedFromEverywhere) {
    network6("front");
    network6("back");
    network("plain");
    Box web = start("web", {{"front", {}, {}}}, {tcp(8080, 80), udp(8080, 80)});
    Box neighbour = start("neighbour", {{"front", {}, {}}});
    Box stranger = start("stranger", {{"back", {}, {}}});
    const std::string gateway = web.attached.endpoints[0].gateway6;
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    Service datagrams(web.netns.get(), Protocol::udp, 80, "web", "::");
    for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
        EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080, protocol), "web 2001:db8::2")
            << "the client's address is seen";
        EXPECT_EQ(ask(host.get(), "::1", 8080, protocol), "web " + gateway);
        EXPECT_EQ(ask(host.get(), "2001:db8::1", 8080, protocol), "web 2001:db8::1");
        EXPECT_EQ(ask(neighbour.netns.get(), "2001:db8::1", 8080, protocol), "web " + gateway);
        EXPECT_EQ(ask(stranger.netns.get(), "2001:db8::1", 8080, protocol), "web " + gateway);
        EXPECT_EQ(ask(web.netns.get(), "2001:db8::1", 8080, protocol), "web " + gateway) << "from the container itself";
    }
    networks->disconnect(web.id());
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "refused");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080, Protocol::udp), "refused");
    EXPECT_EQ(ask(host.get(), "::1", 8080), "refused");
}

TEST_F(Ipv6Networks, APortOfAContainerWithIpv4AloneIsReachedOverIpv6Too) {
    network("front");
    Box web = start("web", {{"front", {}, {}}}, {tcp(8080, 80), udp(8080, 80)});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    Service datagrams(web.netns.get(), Protocol::udp, 80, "web");
    for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
        EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080, protocol), "web 10.199.0.1");
        EXPECT_EQ(ask(host.get(), "::1", 8080, protocol), "web 10.199.0.1");
    }
    network6("closed", {}, true);
    Box shut = start("shut", {{"closed", {}, {}}});
    const std::string gateway = shut.attached.endpoints[0].gateway6;
    EXPECT_EQ(ask(shut.netns.get(), gateway, 8080, Protocol::tcp, 200), "timeout") << "as over IPv4";
    EXPECT_EQ(ask(shut.netns.get(), gateway, 8080, Protocol::udp, 200), "timeout");
    restart();
    networks->adopt(web.attachment, web.attached);
    networks->adopt(shut.attachment, shut.attached);
    EXPECT_EQ(ask(host.get(), "::1", 8080), "web 10.199.0.1");
    EXPECT_EQ(ask(shut.netns.get(), gateway, 8080, Protocol::tcp, 200), "timeout");
    networks->disconnect(web.id());
    EXPECT_EQ(ask(host.get(), "::1", 8080), "refused");
    EXPECT_EQ(ask(host.get(), "::1", 8080, Protocol::udp), "refused");
}

TEST_F(Ipv6Networks, ManyBytesGoThroughTheRelayBothWaysAndItsEndsAreTold) {
    network("front");
    Box web = start("web", {{"front", {}, {}}}, {tcp(8080, 80)});
    Fd listener = socket_in(web.netns.get(), AF_INET, SOCK_STREAM, 0);
    const SocketAddress there(Ipv4{}, 80);
    ASSERT_EQ(::bind(listener.get(), there.get(), there.size()), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    Fd client = socket_in(host.get(), AF_INET6, SOCK_STREAM, 0);
    const SocketAddress here(Ipv6::parse("::1"), 8080);
    ASSERT_EQ(::connect(client.get(), here.get(), here.size()), 0);
    Fd server(::accept(listener.get(), nullptr, nullptr));
    const std::string much(8'000'000, 'x');
    std::thread back([&] {
        EXPECT_EQ(read_all(server.get(), much.size() + 1).size(), much.size()) << "to the end, as the client shut it";
        write_all(server.get(), much);
        server.reset();
    });
    write_all(client.get(), much);
    ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
    EXPECT_EQ(read_all(client.get(), much.size() + 1), much);
    back.join();
}

TEST_F(Ipv6Networks, PortsAreHeldOverBothFamiliesAndOnTheAskedAddressOnly) {
    network6("front");
    Box web = start("web", {{"front", {}, {}}},
                    {tcp(0, 80), tcp(81, 80, "::1"), tcp(82, 80, "127.0.0.1"), tcp(83, 80, "2001:db8::1"),
                     tcp(84, 80, "0.0.0.0"), tcp(85, 80, "::")});
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    Service old(web.netns.get(), Protocol::tcp, 80, "old");
    const std::vector<PortBinding>& ports = web.attached.ports;
    ASSERT_EQ(ports.size(), 7u);
    EXPECT_EQ(ports[0].host_ip, "0.0.0.0");
    EXPECT_EQ(ports[1].host_ip, "::");
    EXPECT_EQ(ports[0].host_port, ports[1].host_port) << "one number for both families";
    EXPECT_NE(ports[0].host_port, 0);
    EXPECT_EQ(ask(host.get(), "::1", ports[1].host_port).substr(0, 4), "web ");
    EXPECT_EQ(ask(host.get(), "127.0.0.1", ports[0].host_port).substr(0, 4), "old ");
    EXPECT_EQ(ask(host.get(), "::1", 81).substr(0, 4), "web ");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 81), "refused");
    EXPECT_EQ(ask(host.get(), "::1", 82), "refused");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 83), "web 2001:db8::2");
    EXPECT_EQ(ask(host.get(), "::1", 83), "refused");
    EXPECT_EQ(ask(host.get(), "::1", 84), "refused");
    EXPECT_EQ(ask(host.get(), "::1", 85).substr(0, 4), "web ");
    EXPECT_EQ(ask(host.get(), "127.0.0.1", 85), "refused");
    auto taken = [&](const PortBinding& port) { return refusal([&] { start("x", {{"front", {}, {}}}, {port}); }); };
    EXPECT_EQ(taken(tcp(85, 80)), "Bind for :::85 failed: port is already allocated");
    EXPECT_EQ(taken(tcp(84, 80)), "Bind for 0.0.0.0:84 failed: port is already allocated");
    EXPECT_EQ(taken(tcp(81, 80, "::")), "Bind for :::81 failed: port is already allocated");
    Service own(host.get(), Protocol::tcp, 90, "own", "::");
    EXPECT_EQ(taken(tcp(90, 80)), "Bind for :::90 failed: port is already allocated");
    EXPECT_NE(taken(tcp(91, 80, "2001:db8::9")).find("cannot assign requested address"), std::string::npos)
        << taken(tcp(91, 80, "2001:db8::9"));
    EXPECT_NE(taken(tcp(91, 80, "fe80::1%lo")).find("not an address"), std::string::npos);
    Box left = start("left", {{"front", {}, {}}}, {tcp(91, 80)});
    EXPECT_NE(left.ip(), web.ip()) << "what failed gave its addresses back";
}

TEST_F(Ipv6Networks, LinksHaveWhatTheirNetworkHasAndNoMore) {
    network6("front", "fd00:7::/64");
    network("plain");
    Box both = start("both", {{"front", {}, {}}, {"plain", {}, {}}});
    const int netns = both.netns.get();
    EXPECT_EQ(both.ip6(), "fd00:7::2");
    EXPECT_EQ(both.attached.endpoints[0].prefix_length6, 64);
    EXPECT_EQ(both.attached.endpoints[0].gateway6, "fd00:7::1");
    EXPECT_EQ(both.ip6(1), "");
    EXPECT_EQ(setting(netns, "ipv6/conf/eth0/disable_ipv6"), "0");
    EXPECT_EQ(setting(netns, "ipv6/conf/eth0/accept_ra"), "0");
    EXPECT_EQ(setting(netns, "ipv6/conf/eth1/disable_ipv6"), "1");
    EXPECT_EQ(setting(netns, "ipv6/conf/lo/disable_ipv6"), "0");
    EXPECT_EQ(setting(netns, "ipv6/conf/default/disable_ipv6"), "0") << "of links that it makes itself";
    EXPECT_EQ(setting(host.get(), "ipv6/conf/" + networks->inspect("front").bridge + "/accept_ra"), "0");
    EXPECT_EQ(setting(host.get(), "ipv6/conf/" + networks->inspect("plain").bridge + "/disable_ipv6"), "1");
    Fd other = new_namespace();
    BridgeNetworks::Attachment wish{random_hex(32), "wish", {{"front", {}, {}}}, {}};
    wish.ipv6 = false;
    EXPECT_EQ(networks->reserve(wish).endpoints[0].ip6, "") << "who wants none gets none";
    wish.networks[0].ip6 = "fd00:7::77";
    EXPECT_NE(refusal([&] { (void)networks->reserve(wish); }).find("sysctls disable IPv6"), std::string::npos);
    wish.ipv6.reset();
    wish.networks[0].network = "plain";
    EXPECT_EQ(refusal([&] { (void)networks->reserve(wish); }), "network plain has no IPv6, which fd00:7::77 is of");
}

TEST_F(Ipv6Networks, ForwardingBeginsWithTheFirstNetworkThatNeedsItAndRoutersAreHeardAllTheSame) {
    write_net_settings(host.get(), {{"ipv6/conf/wire/accept_ra", "1"}});
    network("plain");
    EXPECT_EQ(setting(host.get(), "ipv6/conf/all/forwarding"), "0");
    EXPECT_EQ(nft_list().find("ip6"), std::string::npos);
    network6("front");
    EXPECT_EQ(setting(host.get(), "ipv6/conf/all/forwarding"), "1");
    EXPECT_EQ(setting(host.get(), "ipv6/conf/wire/accept_ra"), "2");
    networks->remove("front");
    EXPECT_EQ(nft_list().find("ip6"), std::string::npos) << "its table goes with the last of them";
}

TEST_F(Ipv6Networks, AddressesComeFromTheSubnetAndFixedOnesAreChecked) {
    NetworkSpec spec;
    spec.name = "front";
    spec.ipv6 = true;
    spec.subnet6 = "fd00:8::/64";
    spec.gateway6 = "fd00:8::99";
    spec.ip_range6 = "fd00:8::100/126";
    spec.aux_addresses6 = {{"printer", "fd00:8::101"}};
    networks->create(spec);
    EXPECT_EQ(networks->inspect("front").spec.gateway6, "fd00:8::99");
    NetworkAttachment fixed{"front", {}, {}};
    fixed.ip6 = "fd00:8::77";
    EXPECT_EQ(start("a", {{"front", {}, {}}}).ip6(), "fd00:8::100") << "the base of a range in the middle can be used";
    EXPECT_EQ(start("b", {{"front", {}, {}}}).ip6(), "fd00:8::102");
    EXPECT_EQ(start("c", {fixed}).ip6(), "fd00:8::77");
    EXPECT_EQ(refusal([&] { start("d", {fixed}); }), "Address already in use: fd00:8::77");
    fixed.ip6 = "fd00:9::77";
    EXPECT_NE(refusal([&] { start("d", {fixed}); }).find("does not belong to any"), std::string::npos);
    EXPECT_EQ(start("d", {{"front", {}, {}}}).ip6(), "fd00:8::103");
    EXPECT_EQ(refusal([&] {
                  start("e", {{"front", {}, {}}});
              }),
              "no available IPv6 addresses on this network's address pools: fd00:8::100/126");
}

TEST_F(Ipv6Networks, WhatIsAskedForIsCheckedInDockersWords) {
    auto create = [&](const std::string& subnet, const std::string& gateway = {}, const std::string& range = {}) {
        NetworkSpec spec;
        spec.name = "x";
        spec.ipv6 = true;
        spec.subnet6 = subnet;
        spec.gateway6 = gateway;
        spec.ip_range6 = range;
        const std::string answer = refusal([&] { networks->create(spec); });
        if (answer == "accepted") networks->remove("x");
        return answer;
    };
    EXPECT_EQ(create("fd00:9::1/64"), "invalid network config:\ninvalid subnet fd00:9::1/64: it should be fd00:9::/64");
    EXPECT_EQ(create("fd00:zz::/64"),
              "invalid network config:\ninvalid subnet fd00:zz::/64: invalid CIDR block notation");
    EXPECT_EQ(create("fd00:19::/64", "fd00:20::1"), "no matching subnet for gateway fd00:20::1");
    EXPECT_EQ(create("fd00:19::/64", "fd00:19::"), "no matching subnet for gateway fd00:19::");
    EXPECT_EQ(create("fd00:19::/64", {}, "fd00:22::/80"), "no matching subnet for range fd00:22::/80");
    for (const char* subnet : {"fe80::/64", "::/0", "ff00::/8", "fd00::/127", "fd00::/128", "10.0.0.0/24", "::/96"})
        EXPECT_NE(create(subnet), "accepted") << subnet;
    for (const char* subnet : {"fd00:19::/48", "fd00:19::/126", "2001:db9::/32"})
        EXPECT_EQ(create(subnet), "accepted") << subnet;
    network6("front", "fd00:7::/64");
    NetworkSpec narrow;
    narrow.name = "x";
    narrow.ipv6 = true;
    narrow.options = {{"com.docker.network.driver.mtu", "1279"}};
    EXPECT_NE(refusal([&] { networks->create(narrow); }).find("at least 1280"), std::string::npos);
    narrow.options = {{"com.docker.network.driver.mtu", "1280"}};
    networks->create(narrow);
    EXPECT_NE(start("small", {{"x", {}, {}}}).ip6(), "");
    networks->disconnect(networks->inspect("x").containers.at(0));
    networks->remove("x");
    const std::string overlap = "invalid pool request: Pool overlaps with other one on this address space";
    EXPECT_EQ(create("fd00:7::/80"), overlap);
    EXPECT_EQ(create("2001:db8::/64"), overlap) << "the host's link";
    EXPECT_EQ(create("2001:db8::/32"), overlap);
    EXPECT_EQ(create("2001:db8::8000:0:0/96"), "accepted") << "a part of the host's link where it has no address";
    NetworkSpec without;
    without.name = "x";
    without.subnet6 = "fd00:19::/64";
    EXPECT_EQ(refusal([&] { networks->create(without); }), "the network has no IPv6, which fd00:19::/64 is of");
}

TEST_F(Ipv6Networks, SubnetsOfOneMachineBeginAlikeAndComeBackWithTheNextAgent) {
    network6("front");
    network6("back");
    const NetworkSpec front = networks->inspect("front").spec, back = networks->inspect("back").spec;
    EXPECT_TRUE(front.subnet6.starts_with("fd")) << front.subnet6;
    EXPECT_TRUE(front.subnet6.ends_with("::/64")) << front.subnet6;
    EXPECT_EQ(Subnet6::parse(front.subnet6).base.bits + (Uint128{1} << 64), Subnet6::parse(back.subnet6).base.bits);
    Box web = start("web", {{"front", {}, {}}}, {tcp(80, 80)});
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    networks.reset();
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "web 2001:db8::2") << "while no agent runs";
    restart();
    networks->adopt(web.attachment, web.attached);
    networks->remove_leftovers();
    EXPECT_EQ(networks->inspect("front").spec, front);
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "web 2001:db8::2");
    EXPECT_EQ(ask(host.get(), "::1", 80).substr(0, 4), "web ");
    EXPECT_NE(start("other", {{"front", {}, {}}}).ip6(), web.ip6());
    nft("flush ruleset");
    Box third = start("third", {{"front", {}, {}}}, {tcp(81, 80)});
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "web 2001:db8::2") << "put back after somebody flushed it";
}

TEST_F(Ipv6Networks, PortsAndRoutesFollowTheNetworksThatARunningContainerJoinsAndLeaves) {
    network("plain");
    network6("front");
    network6("zone");
    Service outer(outside.get(), Protocol::tcp, 80, "outside", "::");
    Box web = start("web", {{"plain", {}, {}}}, {tcp(8080, 80)});
    Service old(web.netns.get(), Protocol::tcp, 80, "old");
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    auto join = [&](const std::string& name) {
        NetworkEndpoint endpoint = networks->join(web.id(), {name, {}, {}});
        (void)networks->finish_join(web.id(), endpoint.network_id, web.netns.get(), true);
        return endpoint;
    };
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "old 10.199.0.1") << "by way of IPv4";
    EXPECT_EQ(ask(web.netns.get(), "2001:db8::2", 80), "Network is unreachable");
    const NetworkEndpoint front = join("front");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "web 2001:db8::2");
    EXPECT_EQ(ask(web.netns.get(), "2001:db8::2", 80), "outside 2001:db8::1");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080), "old 192.0.2.2");
    const NetworkEndpoint zone = join("zone");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "web 2001:db8::2");
    (void)networks->leave(web.id(), front.network_id, web.netns.get());
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "web 2001:db8::2") << "by way of the other one";
    EXPECT_EQ(ask(web.netns.get(), "2001:db8::2", 80), "outside 2001:db8::1");
    (void)networks->leave(web.id(), zone.network_id, web.netns.get());
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "old 10.199.0.1");
    EXPECT_EQ(ask(web.netns.get(), "2001:db8::2", 80), "Network is unreachable");
}

TEST_F(Ipv6Networks, AnAddressThatAnotherContainerGetsIsFoundAtOnce) {
    network6("front", "fd00:7::/64");
    NetworkAttachment fixed{"front", {}, {}};
    fixed.ip6 = "fd00:7::77";
    Box neighbour = start("neighbour", {{"front", {}, {}}});
    for (int turn = 0; turn < 5; ++turn) {
        Box web = start("web", {fixed}, {tcp(80, 80)});  // each with another hardware address
        Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
        EXPECT_EQ(ask(neighbour.netns.get(), "fd00:7::77", 80), "web " + neighbour.ip6()) << turn;
        EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "web 2001:db8::2") << turn;
        networks->disconnect(web.id());
    }
}

TEST_F(Ipv6Networks, PortsMoveFromOneContainerToAnother) {
    network6("front");
    network("plain");
    Box blue = start("blue", {{"plain", {}, {}}}, {tcp(80, 8080), udp(80, 8080)});
    Box green = start("green", {{"front", {}, {}}}, {tcp(80, 8080), udp(80, 8080)}, false);
    Service blue_service(blue.netns.get(), Protocol::tcp, 8080, "blue");
    Service blue_datagrams(blue.netns.get(), Protocol::udp, 8080, "blue");
    Service green_service(green.netns.get(), Protocol::tcp, 8080, "green", "::");
    Service green_datagrams(green.netns.get(), Protocol::udp, 8080, "green", "::");
    Flow flow(outside.get(), "2001:db8::1", 80), near(host.get(), "::1", 80);
    EXPECT_EQ(flow.ask(), "blue 10.199.1.1");
    EXPECT_EQ(near.ask(), "blue 10.199.1.1");
    networks->move_ports(blue.id(), green.id());
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "green 2001:db8::2");
    EXPECT_EQ(ask(host.get(), "::1", 80).substr(0, 6), "green ");
    EXPECT_EQ(near.ask().substr(0, 6), "green ");
    EXPECT_EQ(flow.ask(), "green 2001:db8::2");
    networks->move_ports(green.id(), blue.id());
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "blue 10.199.1.1");
    EXPECT_EQ(flow.ask(), "blue 10.199.1.1") << "the kernel's flow is forgotten";
    EXPECT_EQ(near.ask(), "blue 10.199.1.1");
}

TEST_F(Ipv6Networks, WhatAnEarlierKedgePublishedGoesOnAndItsSuccessorHasBothFamilies) {
    network("plain");
    Box blue = start("blue", {{"plain", {}, {}}}, {tcp(80, 8080)});
    Service blue_service(blue.netns.get(), Protocol::tcp, 8080, "blue");
    restart();
    blue.attached.ports = {tcp(80, 8080)};  // as it was written down: without an address
    networks->adopt(blue.attachment, blue.attached);
    networks->remove_leftovers();
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "blue 192.0.2.2");
    EXPECT_EQ(ask(host.get(), "::1", 80), "refused");
    Box green = start("green", {{"plain", {}, {}}}, {tcp(80, 8080)}, false);
    Service green_service(green.netns.get(), Protocol::tcp, 8080, "green");
    std::vector<PortBinding> told;
    networks->move_ports(blue.id(), green.id(), [&](const std::vector<PortBinding>& ports) { told = ports; });
    EXPECT_EQ(told.size(), 2u);
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "green 192.0.2.2");
    EXPECT_EQ(ask(host.get(), "::1", 80).substr(0, 6), "green ");
    networks->disconnect(blue.id());
    networks->disconnect(green.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "refused");
    EXPECT_EQ(ask(host.get(), "::1", 80), "refused");
}

TEST_F(Ipv6Networks, AKernelWithoutItHasEverythingElse) {
    network6("front");
    networks.reset();
    std::thread([&] {
        hide_ipv6();
        if (HasFatalFailure()) return;
        restart();
        NetworkSpec spec;
        spec.name = "wide";
        spec.ipv6 = true;
        EXPECT_EQ(refusal([&] { networks->create(spec); }), "the kernel of this machine has no IPv6");
        EXPECT_EQ(networks->list().size(), 1u);
        network("plain");
        Box web = start("web", {{"front", {}, {}}, {"plain", {}, {}}}, {tcp(80, 80)});
        EXPECT_EQ(web.ip6(), "");
        EXPECT_EQ(web.attached.ports.size(), 1u);
        Service service(web.netns.get(), Protocol::tcp, 80, "web");
        EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
        EXPECT_EQ(nft_list().find("ip6"), std::string::npos);
    }).join();
}

TEST_F(Ipv6Networks, NamesLeadToAddressesOfBothFamilies) {
    network6("front", "fd00:7::/64");
    network("plain");
    Box web = start("web", {{"front", {"www"}, {}}, {"plain", {}, {}}});
    Box client = start("client", {{"front", {}, {}}});
    Box other = start("other", {{"plain", {}, {}}});
    const int netns = client.netns.get();
    const std::string server = client.attached.endpoints[0].gateway;
    EXPECT_EQ(query(netns, server, "web", "AAAA"), (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    EXPECT_EQ(query(netns, server, "WWW.front", "AAAA"), (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    EXPECT_EQ(query(netns, server, "web", "A"), (DnsAnswer{"NOERROR", {web.ip()}}));
    const std::string reversed = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.0.0.0.0.d.F.ip6.arpa";
    EXPECT_EQ(query(netns, server, reversed, "PTR"), (DnsAnswer{"NOERROR", {"web.front."}}));
    const std::string plain = other.attached.endpoints[0].gateway;
    EXPECT_EQ(query(other.netns.get(), plain, "web", "AAAA"), (DnsAnswer{"NOERROR", {}})) << "it has none there";
}
