#include "world.h"

#include "base/error.h"
#include "base/netns.h"
#include "dns_client.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

using namespace kedge;
using namespace kedge::runtime;
using testing::HasSubstr;
using testing::Not;

namespace {

/// Networks without IPv4.
struct Ipv6Alone : World {
    std::string alone(const std::string& name, const std::string& subnet6 = {}, bool internal = false) {
        NetworkSpec spec;
        spec.name = name;
        spec.internal = internal;
        spec.ipv4 = false;
        spec.ipv6 = true;
        spec.subnet6 = subnet6;
        return networks->create(spec);
    }
    static std::string gateway(const Box& box) { return box.attached.endpoints.at(0).server(); }
    NetworkEndpoint join(const Box& box, const std::string& name) {
        NetworkEndpoint endpoint = networks->join(box.id(), {name, {}, {}});
        (void)networks->finish_join(box.id(), endpoint.network_id, box.netns.get(), true);
        return endpoint;
    }
};

PortBinding port(Protocol protocol, uint16_t host_port, uint16_t container_port, const std::string& host_ip = {}) {
    return {host_ip, host_port, container_port, protocol};
}

}  // namespace

TEST_F(Ipv6Alone, ContainersReachEachOtherAndTheWayOut) {
    alone("six", "fd00:7::/64");
    alone("back");
    alone("closed", {}, true);
    network("plain");
    Box web = start("web", {{"six", {}, {}}});
    Box client = start("client", {{"six", {}, {}}});
    Box stranger = start("stranger", {{"back", {}, {}}});
    Box shut = start("shut", {{"closed", {}, {}}});
    EXPECT_EQ(web.ip(), "");
    EXPECT_EQ(web.ip6(), "fd00:7::2");
    EXPECT_EQ(web.attached.endpoints[0].gateway, "");
    EXPECT_EQ(web.attached.endpoints[0].gateway6, "fd00:7::1");
    EXPECT_NE(web.attached.endpoints[0].mac, client.attached.endpoints[0].mac);
    EXPECT_EQ(networks->inspect("six").spec.subnet, "");
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    Service outer(outside.get(), Protocol::tcp, 80, "outside", "::");
    Service outer4(outside.get(), Protocol::tcp, 80, "outside");
    EXPECT_EQ(ask(client.netns.get(), web.ip6(), 80), "web " + client.ip6());
    EXPECT_EQ(ask(host.get(), web.ip6(), 80), "web fd00:7::1");
    EXPECT_EQ(ask(client.netns.get(), "2001:db8::2", 80), "outside 2001:db8::1");
    EXPECT_EQ(ask(client.netns.get(), "192.0.2.2", 80), "Network is unreachable");
    EXPECT_EQ(ask(stranger.netns.get(), web.ip6(), 80, Protocol::tcp, 200), "timeout");
    EXPECT_EQ(ask(shut.netns.get(), "2001:db8::2", 80), "Network is unreachable");
    EXPECT_THAT(nft("list set ip " + instance + " internal"), HasSubstr(networks->inspect("six").bridge))
        << "what gives itself an IPv4 address comes no further";
    EXPECT_THAT(nft("list set ip6 " + instance + " internal"), Not(HasSubstr(networks->inspect("six").bridge)));
}

TEST_F(Ipv6Alone, NamesAreAskedForOverIpv6) {
    alone("six", "fd00:7::/64");
    network6("both", "fd00:8::/64");
    Box web = start("web", {{"six", {"www"}, {}}});
    Box client = start("client", {{"six", {}, {}}, {"both", {}, {}}});
    Box other = start("other", {{"both", {}, {}}});
    const int netns = client.netns.get();
    EXPECT_EQ(gateway(client), "fd00:7::1");
    EXPECT_EQ(networks->name_server("six"), "fd00:7::1");
    for (Protocol protocol : {Protocol::udp, Protocol::tcp}) {
        EXPECT_EQ(query(netns, gateway(client), "web", "AAAA", protocol), (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    }
    EXPECT_EQ(query(netns, gateway(client), "WWW.six", "AAAA"), (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    EXPECT_EQ(query(netns, gateway(client), "web", "A"), (DnsAnswer{"NOERROR", {}})) << "it is there, and has none";
    EXPECT_EQ(query(netns, gateway(client), "other", "A"), (DnsAnswer{"NOERROR", {other.ip()}}));
    EXPECT_EQ(query(netns, client.attached.endpoints[1].server(), "web", "AAAA"),
              (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    const std::string reversed = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.0.0.0.0.d.f.ip6.arpa";
    EXPECT_EQ(query(netns, gateway(client), reversed, "PTR"), (DnsAnswer{"NOERROR", {"web.six."}}));
    EXPECT_NE(query(other.netns.get(), gateway(other), "web", "AAAA"), (DnsAnswer{"NOERROR", {"fd00:7::2"}}))
        << "who isn't on it doesn't know";
    restart();
    networks->adopt(web.attachment, web.attached);
    networks->adopt(client.attachment, client.attached);
    networks->remove_leftovers();
    EXPECT_EQ(query(netns, gateway(client), "web", "AAAA"), (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    networks->disconnect(web.id());
    EXPECT_NE(query(netns, gateway(client), "web", "AAAA"), (DnsAnswer{"NOERROR", {"fd00:7::2"}}));
    networks->disconnect(client.id());
    networks->remove("six");
    EXPECT_THAT(nft_list(), Not(HasSubstr("fd00:7::1")));
}

TEST_F(Ipv6Alone, APublishedPortIsReachedOverBothFamilies) {
    alone("six", "fd00:7::/64");
    network("plain");
    network("closed", true);
    Box web = start(
        "web", {{"six", {}, {}}},
        {port(Protocol::tcp, 8080, 80), port(Protocol::udp, 8080, 80), port(Protocol::tcp, 8081, 80, "127.0.0.1")});
    Box stranger = start("stranger", {{"plain", {}, {}}});
    Box shut = start("shut", {{"closed", {}, {}}});
    ASSERT_EQ(web.attached.ports.size(), 5u);
    Service service(web.netns.get(), Protocol::tcp, 80, "web", "::");
    Service datagrams(web.netns.get(), Protocol::udp, 80, "web", "::");
    auto check = [&] {
        for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
            EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080, protocol), "web 2001:db8::2");
            EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, protocol), "web fd00:7::1");
            EXPECT_EQ(ask(host.get(), "127.0.0.1", 8080, protocol), "web fd00:7::1");
            EXPECT_EQ(ask(host.get(), "::1", 8080, protocol), "web fd00:7::1");
            EXPECT_EQ(ask(stranger.netns.get(), gateway(stranger), 8080, protocol), "web fd00:7::1");
            EXPECT_EQ(ask(shut.netns.get(), gateway(shut), 8080, protocol, 200), "timeout");
        }
        EXPECT_EQ(ask(host.get(), "127.0.0.1", 8081), "web fd00:7::1");
        EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8081), "refused");
    };
    check();
    restart();
    for (const Box* box : {&web, &stranger, &shut}) networks->adopt(box->attachment, box->attached);
    networks->remove_leftovers();
    check();
    EXPECT_NE(start("other", {{"six", {}, {}}}).ip6(), web.ip6());
    nft("flush ruleset");
    Box next = start("next", {{"six", {}, {}}}, {port(Protocol::tcp, 8082, 80)});
    check();
    networks->disconnect(web.id());
    for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
        EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, protocol), "refused");
        EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080, protocol), "refused");
    }
    EXPECT_THAT(nft_list(), Not(HasSubstr("8080")));
}

TEST_F(Ipv6Alone, PortsAndRoutesFollowTheOtherFamilyThatComesAndGoes) {
    alone("six", "fd00:7::/64");
    network("plain");
    Service outer(outside.get(), Protocol::tcp, 80, "outside");
    Box web = start("web", {{"six", {}, {}}}, {port(Protocol::tcp, 8080, 80), port(Protocol::udp, 8080, 80)});
    Service service(web.netns.get(), Protocol::tcp, 80, "six", "::");
    Service datagrams(web.netns.get(), Protocol::udp, 80, "six", "::");
    Service four(web.netns.get(), Protocol::tcp, 80, "four");
    Service datagrams4(web.netns.get(), Protocol::udp, 80, "four");
    Connection kept(outside.get(), "192.0.2.1", 8080);
    for (int turn = 0; turn < 2; ++turn) {
        for (Protocol protocol : {Protocol::tcp, Protocol::udp})
            EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, protocol), "six fd00:7::1") << turn;
        EXPECT_EQ(ask(web.netns.get(), "192.0.2.2", 80), "Network is unreachable");
        const NetworkEndpoint plain = join(web, "plain");
        for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
            EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, protocol), "four 192.0.2.2") << turn;
            EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080, protocol), "six 2001:db8::2") << turn;
        }
        EXPECT_EQ(ask(web.netns.get(), "192.0.2.2", 80), "outside 192.0.2.1");
        (void)networks->leave(web.id(), plain.network_id, web.netns.get());
    }
    const NetworkEndpoint plain = join(web, "plain");
    (void)networks->leave(web.id(), web.attached.endpoints[0].network_id, web.netns.get());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080), "four 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 8080), "four " + plain.gateway) << "by the relay the other way";
}

TEST_F(Ipv6Alone, PortsMoveBetweenTheFamilies) {
    alone("six", "fd00:7::/64");
    network("plain");
    const std::vector<PortBinding> ports{port(Protocol::tcp, 80, 8080), port(Protocol::udp, 80, 8080)};
    Box blue = start("blue", {{"plain", {}, {}}}, ports);
    Box green = start("green", {{"six", {}, {}}}, ports, false);
    Service blue_service(blue.netns.get(), Protocol::tcp, 8080, "blue");
    Service blue_datagrams(blue.netns.get(), Protocol::udp, 8080, "blue");
    Service green_service(green.netns.get(), Protocol::tcp, 8080, "green", "::");
    Service green_datagrams(green.netns.get(), Protocol::udp, 8080, "green", "::");
    Flow flow(outside.get(), "192.0.2.1", 80);
    EXPECT_EQ(flow.ask(), "blue 192.0.2.2");
    networks->move_ports(blue.id(), green.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "green fd00:7::1");
    EXPECT_EQ(ask(outside.get(), "2001:db8::1", 80), "green 2001:db8::2");
    EXPECT_EQ(flow.ask(), "green fd00:7::1");
    networks->move_ports(green.id(), blue.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "blue 192.0.2.2");
    EXPECT_EQ(flow.ask(), "blue 192.0.2.2");
}

TEST_F(Ipv6Alone, WhatIsOfIpv4IsRefused) {
    NetworkSpec none;
    none.name = "x";
    none.ipv4 = false;
    EXPECT_EQ(refusal([&] { networks->create(none); }), "IPv4 or IPv6 must be enabled");
    none.ipv6 = true;
    NetworkSpec wrong = none;
    wrong.subnet = "10.5.0.0/24";
    EXPECT_EQ(refusal([&] { networks->create(wrong); }), "the network has no IPv4, which 10.5.0.0/24 is of");
    wrong = none;
    wrong.aux_addresses = {{"printer", "10.5.0.9"}};
    EXPECT_EQ(refusal([&] { networks->create(wrong); }), "the network has no IPv4, which 10.5.0.9 is of");
    alone("six", "fd00:7::/64");
    NetworkAttachment fixed{"six", {}, "10.5.0.7"};
    EXPECT_EQ(refusal([&] { start("a", {fixed}); }), "network six has no IPv4, which 10.5.0.7 is of");
    BridgeNetworks::Attachment wish{std::string(64, 'a'), "wish", {{"six", {}, {}}}, {}};
    wish.ipv6 = false;
    EXPECT_EQ(refusal([&] { (void)networks->reserve(wish); }),
              "container wish can't join network six, which has IPv6 alone: its sysctls disable IPv6");
    fixed.ip.clear();
    fixed.ip6 = "fd00:7::77";
    EXPECT_EQ(start("b", {fixed}).ip6(), "fd00:7::77");
    EXPECT_EQ(start("c", {{"six", {}, {}}}).ip6(), "fd00:7::2") << "what failed took nothing";
}

TEST_F(Ipv6Alone, AKernelThatLostIpv6HasTheOtherNetworks) {
    alone("six");
    network("plain");
    networks.reset();
    std::thread([&] {
        hide_ipv6();
        if (HasFatalFailure()) return;
        restart();
        EXPECT_EQ(refusal([&] {
                      start("web", {{"six", {}, {}}});
                  }),
                  "container web can't join network six, which has IPv6 alone: this machine has none now");
        EXPECT_NE(start("web", {{"plain", {}, {}}}).ip(), "");
    }).join();
    restart();
    EXPECT_NE(start("web", {{"six", {}, {}}}).ip6(), "") << "it is back with it";
}
