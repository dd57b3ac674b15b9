#include "dns_client.h"
#include "world.h"

#include "base/durable.h"
#include "base/netns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <set>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using Names = World;

DnsAnswer yes(std::vector<std::string> data) {
    return {"NOERROR", std::move(data)};
}

}  // namespace

TEST_F(Names, AContainerIsFoundByItsNameIdAndAliasesInAnyCase) {
    network("front");
    Box web = start("web-1", {{"front", {"web", "www"}, {}}});
    Box client = start("client", {{"front", {}, {}}});
    const std::string server = networks->name_server("front");
    EXPECT_EQ(server, "10.199.0.1");
    for (const std::string& name : {std::string("web-1"), std::string("web"), std::string("WWW"),
                                    std::string("web-1.front"), web.id().substr(0, 12)}) {
        EXPECT_EQ(query(client.netns.get(), server, name), yes({web.ip()})) << name;
        EXPECT_EQ(query(client.netns.get(), server, name, "A", Protocol::tcp), yes({web.ip()})) << name;
        EXPECT_EQ(query(client.netns.get(), server, name, "AAAA"), yes({})) << name << " exists, but not there";
        EXPECT_EQ(query(client.netns.get(), server, name, "MX"), yes({})) << name;
    }
    EXPECT_EQ(query(client.netns.get(), server, "2.0.199.10.in-addr.arpa", "PTR"), yes({"web-1.front."}));
    EXPECT_EQ(query(client.netns.get(), server, "77.0.199.10.in-addr.arpa", "PTR").code, "NXDOMAIN");
    EXPECT_EQ(query(host.get(), server, "web"), yes({web.ip()})) << "the host may ask as well";
    networks->disconnect(web.id());
    EXPECT_NE(query(client.netns.get(), server, "web").code, "NOERROR");
}

TEST_F(Names, ContainersThatShareANameAreAllAnsweredInTurn) {
    network("front");
    std::vector<Box> boxes;
    std::vector<std::string> addresses;
    for (int i = 0; i < 3; ++i) {
        boxes.push_back(start("web-" + std::to_string(i), {{"front", {"web"}, {}}}));
        addresses.push_back(boxes.back().ip());
    }
    std::set<std::string> first;
    for (int i = 0; i < 6; ++i) {
        DnsAnswer answer = query(boxes[0].netns.get(), "10.199.0.1", "web");
        ASSERT_EQ(answer.data.size(), 3u);
        first.insert(answer.data[0]);
        std::sort(answer.data.begin(), answer.data.end());
        EXPECT_EQ(answer.data, addresses);
    }
    EXPECT_EQ(first.size(), 3u);
}

TEST_F(Names, MoreAddressesThanFitAreToldOverTcp) {
    network("front");
    std::vector<Box> boxes;
    for (int i = 0; i < 40; ++i) boxes.push_back(start("web-" + std::to_string(i), {{"front", {"web"}, {}}}));
    DnsAnswer cut = query(boxes[0].netns.get(), "10.199.0.1", "web");
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(query(boxes[0].netns.get(), "10.199.0.1", "web", "A", Protocol::tcp).data.size(), 40u);
}

TEST_F(Names, NamesAreSeenOnSharedNetworksOnly) {
    network("front");
    network("back");
    Box web = start("web", {{"front", {}, {}}});
    Box data = start("data", {{"back", {}, {}}});
    Box both = start("both", {{"back", {}, {}}, {"front", {}, {}}});
    EXPECT_EQ(query(both.netns.get(), "10.199.1.1", "web"), yes({web.ip()}))
        << "all its networks, whichever gateway it asks";
    EXPECT_EQ(query(both.netns.get(), "10.199.1.1", "data"), yes({data.ip()}));
    EXPECT_NE(query(data.netns.get(), "10.199.1.1", "web").code, "NOERROR");
    EXPECT_EQ(query(data.netns.get(), "10.199.0.1", "web").code, "REFUSED")
        << "at the gateway of a network that isn't its";
}

TEST_F(Names, OtherNamesAreAskedOfTheHostsServersWhoseListMayChange) {
    network("front");
    network("closed", true);
    Box client = start("client", {{"front", {}, {}}});
    Box shut = start("shut", {{"closed", {}, {}}});
    Box half = start("half", {{"closed", {}, {}}, {"front", {}, {}}});
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "example.test").code, "SERVFAIL") << "no servers yet";
    Upstreams upstream(outside.get(), "192.0.2.2");
    resolv_conf("# comment\nsearch x\nnameserver 192.0.2.2\nnameserver nonsense\n");
    for (Protocol protocol : {Protocol::udp, Protocol::tcp}) {
        EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "example.test", "A", protocol), yes({"203.0.113.7"}));
        EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "other.test", "A", protocol).code, "NXDOMAIN");
    }
    EXPECT_EQ(query(half.netns.get(), "10.199.1.1", "example.test"), yes({"203.0.113.7"})) << "it has a way out";
    const size_t before = upstream.questions();
    EXPECT_EQ(query(shut.netns.get(), "10.199.1.1", "example.test").code, "REFUSED");
    EXPECT_EQ(upstream.questions(), before) << "an internal network tells nothing to the outside";
}

TEST_F(Names, WhoHoldsManyConnectionsKeepsNobodyElseFromAsking) {
    network("front");
    Box busy = start("busy", {{"front", {}, {}}}), calm = start("calm", {{"front", {}, {}}});
    std::vector<Fd> idle;
    for (int i = 0; i < 200; ++i) idle.push_back(socket_in(busy.netns.get(), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(53);
    ASSERT_EQ(::inet_pton(AF_INET, "10.199.0.1", &server.sin_addr), 1);
    for (const Fd& socket : idle)
        (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server);  // in progress
    for (const Fd& socket : idle) {
        pollfd connected{socket.get(), POLLOUT, 0};
        ASSERT_EQ(::poll(&connected, 1, 10'000), 1);
    }
    EXPECT_EQ(query(calm.netns.get(), "10.199.0.1", "busy", "A", Protocol::tcp), yes({busy.ip()}));
}

TEST_F(Names, AContainersOwnServersAreAskedForItAlone) {
    network("front");
    Box plain = start("plain", {{"front", {}, {}}});
    Box own;
    own.netns = new_namespace();
    own.attachment = {random_hex(32), "own", {{"front", {}, {}}}, {}, true, {"nonsense", "192.0.2.2"}};
    own.attached = networks->reserve(own.attachment);
    networks->connect(own.attachment, own.attached, own.netns.get());
    Upstreams its(outside.get(), "192.0.2.2"), hosts(host.get(), "127.0.0.1");
    resolv_conf("nameserver 127.0.0.1\n");
    for (Protocol protocol : {Protocol::udp, Protocol::tcp})
        EXPECT_EQ(query(own.netns.get(), "10.199.0.1", "example.test", "A", protocol), yes({"203.0.113.7"}));
    EXPECT_EQ(its.questions(), 2u);
    EXPECT_EQ(hosts.questions(), 0u);
    EXPECT_EQ(query(plain.netns.get(), "10.199.0.1", "example.test"), yes({"203.0.113.7"}));
    EXPECT_EQ(its.questions(), 2u);
    EXPECT_EQ(hosts.questions(), 1u);
    EXPECT_EQ(query(own.netns.get(), "10.199.0.1", "plain"), yes({plain.ip()})) << "names of ours come first";
}

TEST_F(Names, AServerThatDoesNotAnswerIsPassedOverAndRemembered) {
    network("front");
    Box client = start("client", {{"front", {}, {}}});
    Upstreams mute(outside.get(), "192.0.2.2", true);
    Upstreams good(host.get(), "127.0.0.1");
    resolv_conf("nameserver 192.0.2.2\nnameserver 127.0.0.1\n");
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "example.test"), yes({"203.0.113.7"}));
    EXPECT_EQ(mute.questions(), 1u);
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "example.test"), yes({"203.0.113.7"}));
    EXPECT_EQ(mute.questions(), 1u) << "the one that answered comes first";
}

TEST_F(Names, AFloodOfOpenQuestionsDoesNotKeepOthersFromNames) {
    network("front");
    Box flood = start("flood", {{"front", {}, {}}});
    Box client = start("client", {{"front", {}, {}}});
    Upstreams mute(outside.get(), "192.0.2.2", true);
    resolv_conf("nameserver 192.0.2.2\n");
    const std::string question("\0\1\1\0\0\1\0\0\0\0\0\0\3abc\4test\0\0\1\0\1", 26);
    for (int i = 0; i < 1000; ++i) send_raw(flood.netns.get(), "10.199.0.1", question, 0);
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "flood"), yes({flood.ip()}));
    EXPECT_LE(mute.questions(), 200u);
}

TEST_F(Names, RandomAndBrokenPacketsAreIgnored) {
    network("front");
    Box client = start("client", {{"front", {}, {}}});
    std::mt19937 random(7);
    const std::string good("\0\1\1\0\0\1\0\0\0\0\0\0\6client\0\0\1\0\1", 24);
    for (int i = 0; i < 2000; ++i) {
        std::string packet(random() % 600, '\0');
        for (char& c : packet) c = static_cast<char>(random());
        if (i % 2) {  // nearly right: one that breaks in the middle
            packet = good.substr(0, random() % good.size());
            if (!packet.empty()) packet[random() % packet.size()] = static_cast<char>(random());
        }
        send_raw(client.netns.get(), "10.199.0.1", packet, 0);
    }
    // A name that points to itself, a label beyond the end, a response, two questions.
    for (const std::string& bad : {std::string("\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 18),
                                   std::string("\0\1\1\0\0\1\0\0\0\0\0\0\x3f"
                                               "a",
                                               14),
                                   std::string("\0\1\x81\0\0\1\0\0\0\0\0\0\6client\0\0\1\0\1", 24),
                                   std::string("\0\1\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1b\0\0\1\0\1", 26)}) {
        EXPECT_EQ(send_raw(client.netns.get(), "10.199.0.1", bad, 50), "");
    }
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "client"), yes({client.ip()}));
}

TEST_F(Names, TheHostsOwnServerOnPort53IsNotInTheWay) {
    Upstreams own(host.get(), "0.0.0.0");
    network("front");
    Box client = start("client", {{"front", {}, {}}});
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "client"), yes({client.ip()}));
    EXPECT_EQ(query(outside.get(), "192.0.2.1", "example.test"), yes({"203.0.113.7"})) << "it goes on answering";
    restart();
    networks->adopt(client.attachment, client.attached);
    EXPECT_EQ(query(client.netns.get(), "10.199.0.1", "client"), yes({client.ip()}));
}
