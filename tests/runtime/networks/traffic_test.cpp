#include "world.h"

#include "base/error.h"

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Traffic : World {
    std::string last;  ///< what is heard of the published port
};

PortBinding tcp(uint16_t host_port, uint16_t container_port, const std::string& host_ip = {}) {
    return {host_ip, host_port, container_port, Protocol::tcp};
}

PortBinding udp(uint16_t host_port, uint16_t container_port) {
    return {{}, host_port, container_port, Protocol::udp};
}

}  // namespace

TEST_F(Traffic, ContainersOfOneNetworkReachEachOther) {
    network("front");
    Box web = start("web", {{"front", {}, {}}});
    Box client = start("client", {{"front", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    EXPECT_EQ(ask(client.netns.get(), web.ip(), 80), "web " + client.ip());
    EXPECT_EQ(ask(web.netns.get(), "127.0.0.1", 80), "web 127.0.0.1") << "loopback is up";
    EXPECT_EQ(ask(host.get(), web.ip(), 80), "web 10.199.0.1") << "from the host by way of the bridge";
}

TEST_F(Traffic, NetworksAreIsolatedFromEachOtherAndFromOutside) {
    network("front");
    network("back");
    Box web = start("web", {{"front", {}, {}}});
    Box client = start("client", {{"back", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    EXPECT_EQ(ask(client.netns.get(), web.ip(), 80, Protocol::tcp, 200), "timeout");
    Box both = start("both", {{"back", {}, {}}, {"front", {}, {}}});
    EXPECT_EQ(ask(both.netns.get(), web.ip(), 80), "web " + both.ip(1));
}

TEST_F(Traffic, TheWayOutIsBehindTheHostsAddressAndClosedForInternalNetworks) {
    network("front");
    network("closed", true);
    Service service(outside.get(), Protocol::tcp, 80, "outside");
    Service datagrams(outside.get(), Protocol::udp, 80, "outside");
    Box client = start("client", {{"front", {}, {}}});
    EXPECT_EQ(ask(client.netns.get(), "192.0.2.2", 80), "outside 192.0.2.1");
    EXPECT_EQ(ask(client.netns.get(), "192.0.2.2", 80, Protocol::udp), "outside 192.0.2.1");
    Box shut = start("shut", {{"closed", {}, {}}});
    EXPECT_EQ(ask(shut.netns.get(), "192.0.2.2", 80), "Network is unreachable");
    Box both = start("both", {{"closed", {}, {}}, {"front", {}, {}}});
    EXPECT_EQ(ask(both.netns.get(), "192.0.2.2", 80), "outside 192.0.2.1");
}

TEST_F(Traffic, TheWayOutAndPublishedPortsFollowTheNetworksThatARunningContainerJoinsAndLeaves) {
    network("middle");
    network("aback");
    network("zone", true);
    Service outer(outside.get(), Protocol::tcp, 80, "outside");
    Box web = start("web", {{"middle", {}, {}}}, {tcp(8080, 80)});
    Box neighbour = start("neighbour", {{"aback", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    auto join = [&](const std::string& name) {
        NetworkAttachment wanted;
        wanted.network = name;
        NetworkEndpoint endpoint = networks->join(web.id(), wanted);
        EXPECT_EQ(endpoint.change, NetworkEndpoint::Change::joining);
        EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, Protocol::tcp, 200), last) << "before it is finished";
        (void)networks->finish_join(web.id(), endpoint.network_id, web.netns.get(), true);
        return endpoint;
    };
    auto reached = [&](const std::string& by_whom) {
        EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080), "web 192.0.2.2") << by_whom;
        EXPECT_EQ(ask(host.get(), "127.0.0.1", 8080).substr(0, 4), "web ") << by_whom;
        EXPECT_EQ(ask(web.netns.get(), "192.0.2.1", 8080).substr(0, 4), "web ") << by_whom << ", from itself";
        EXPECT_EQ(ask(web.netns.get(), "192.0.2.2", 80), "outside 192.0.2.1") << by_whom;
    };
    last = "web 192.0.2.2";
    reached("middle");
    const std::string middle = web.attached.endpoints[0].network_id;
    (void)join("zone");
    reached("middle, with an internal one");
    const NetworkEndpoint aback = join("aback");
    reached("aback");
    EXPECT_EQ(ask(neighbour.netns.get(), aback.ip, 80), "web " + neighbour.ip());
    EXPECT_EQ(networks->leave(web.id(), middle, web.netns.get()).size(), 2u);
    reached("aback alone");
    EXPECT_TRUE(networks->leave(web.id(), aback.network_id, web.netns.get()).empty()) << "no way out is left";
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080), "refused");
    EXPECT_EQ(ask(neighbour.netns.get(), aback.ip, 80, Protocol::tcp, 200), "timeout");
    EXPECT_EQ(ask(web.netns.get(), "192.0.2.2", 80), "Network is unreachable");
    last = "refused";
    (void)join("middle");
    reached("middle again");
    EXPECT_TRUE(networks->inspect("aback").containers == std::vector<std::string>{neighbour.id()});
}

TEST_F(Traffic, WhoIsHalfJoinedByAnAgentThatDiedIsFinishedByTheNext) {
    network("front");
    network("back");
    Box web = start("web", {{"front", {}, {}}});
    Box neighbour = start("neighbour", {{"back", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    NetworkAttachment wanted;
    wanted.network = "back";
    NetworkEndpoint endpoint = networks->join(web.id(), wanted);
    (void)networks->finish_join(web.id(), endpoint.network_id, web.netns.get(), true);
    web.attached.endpoints.push_back(endpoint);  // what was written down last: joining
    restart();
    networks->adopt(web.attachment, web.attached);
    networks->adopt(neighbour.attachment, neighbour.attached);
    (void)networks->finish_join(web.id(), endpoint.network_id, web.netns.get(), true);
    networks->remove_leftovers();
    EXPECT_EQ(ask(neighbour.netns.get(), endpoint.ip, 80), "web " + neighbour.ip());
}

TEST_F(Traffic, APublishedPortIsReachedFromEverywhere) {
    network("front");
    network("back");
    Box web = start("web", {{"front", {}, {}}}, {tcp(8080, 80), udp(8080, 80)});
    Box neighbour = start("neighbour", {{"front", {}, {}}});
    Box stranger = start("stranger", {{"back", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    Service datagrams(web.netns.get(), Protocol::udp, 80, "web");
    for (Protocol protocol : {Protocol::tcp, Protocol::udp}) {
        EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, protocol), "web 192.0.2.2") << "the client's address is seen";
        EXPECT_EQ(ask(host.get(), "127.0.0.1", 8080, protocol), "web 10.199.0.1");
        EXPECT_EQ(ask(host.get(), "192.0.2.1", 8080, protocol), "web 192.0.2.1");
        EXPECT_EQ(ask(neighbour.netns.get(), "192.0.2.1", 8080, protocol), "web 10.199.0.1");
        EXPECT_EQ(ask(neighbour.netns.get(), "10.199.0.1", 8080, protocol), "web 10.199.0.1");
        EXPECT_EQ(ask(stranger.netns.get(), "192.0.2.1", 8080, protocol), "web 10.199.0.1");
        EXPECT_EQ(ask(web.netns.get(), "192.0.2.1", 8080, protocol), "web 10.199.0.1") << "from the container itself";
    }
    networks->disconnect(web.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080), "refused");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080, Protocol::udp), "refused");
}
