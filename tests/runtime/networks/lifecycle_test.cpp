#include "dns_client.h"
#include "world.h"

#include "base/error.h"
#include "runtime/networks/links.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <set>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using Networking = World;

std::string error_of(const std::function<void()>& work, Code code) {
    try {
        work();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), code) << e.what();
        return e.what();
    }
    return "no error";
}

std::set<std::string> link_names() {
    std::set<std::string> names;
    for (const Link& link : list_links()) names.insert(link.name);
    return names;
}

// In the namespace of the calling thread.
std::string mtu_of(const std::string& name) {
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return ::ioctl(socket.get(), SIOCGIFMTU, &request) == 0 ? std::to_string(request.ifr_mtu) : "none";
}

size_t open_files() {
    size_t count = 0;
    DIR* folder = ::opendir("/proc/self/fd");
    while (::readdir(folder)) ++count;
    ::closedir(folder);
    return count;
}

PortBinding tcp(uint16_t host_port, uint16_t container_port, const std::string& host_ip = {}) {
    return {host_ip, host_port, container_port, Protocol::tcp};
}

}  // namespace

TEST_F(Networking, SubnetsComeFromThePoolAndAvoidWhatTheHostUses) {
    make_bridge("other", "", Ipv4::parse("10.199.1.9"), Subnet::parse("10.199.1.0/24"));
    network("a");
    network("b");
    EXPECT_EQ(networks->inspect("a").spec.subnet, "10.199.0.0/24");
    EXPECT_EQ(networks->inspect("a").spec.gateway, "10.199.0.1");
    EXPECT_EQ(networks->inspect("b").spec.subnet, "10.199.2.0/24");
    networks->remove("a");
    network("c");
    EXPECT_EQ(networks->inspect("c").spec.subnet, "10.199.0.0/24");
    const std::string overlap = "invalid pool request: Pool overlaps with other one on this address space";
    for (const char* taken : {"10.199.2.0/24", "10.199.0.0/16", "10.199.1.128/25", "192.0.2.0/24"}) {
        EXPECT_EQ(error_of([&] { network("d", false, taken); }, Code::conflict), overlap) << taken;
    }
}

TEST_F(Networking, WhatIsAskedForIsCheckedInDockersWords) {
    network("a");
    EXPECT_EQ(error_of([&] { network("a"); }, Code::conflict), "network with name a already exists");
    EXPECT_EQ(error_of([&] { (void)networks->inspect("x"); }, Code::not_found), "network x not found");
    EXPECT_EQ(error_of([&] { networks->remove(""); }, Code::not_found), "network  not found");
    for (const char* name : {"", "host", "none", "a b", "-a", "../x", "a\nb"}) {
        EXPECT_THAT(error_of([&] { network(name); }, Code::invalid_argument),
                    testing::StartsWith("invalid network name"))
            << name;
    }
    for (const char* subnet : {"x", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/24", "10.0.0.0/31", "127.0.0.0/24",
                               "0.0.0.0/0", "224.0.0.0/24", "fd00::/64", "10.0.0.0/24x"}) {
        EXPECT_THAT(error_of([&] { network("b", false, subnet); }, Code::invalid_argument),
                    testing::ContainsRegex("^[Ii]nvalid "))
            << subnet;
    }
    NetworkSpec spec{"c", "overlay", {}, {}, false, {}, {}};
    EXPECT_EQ(error_of([&] { networks->create(spec); }, Code::invalid_argument), "plugin \"overlay\" not found");
    spec = {"c", "bridge", "10.5.0.0/24", "10.6.0.1", false, {}, {}};
    EXPECT_EQ(error_of([&] { networks->create(spec); }, Code::invalid_argument),
              "no matching subnet for gateway 10.6.0.1");
    spec = {"c", "bridge", {}, {}, false, {}, {{"x", "y"}}};
    EXPECT_EQ(error_of([&] { networks->create(spec); }, Code::invalid_argument), "network option x is not supported");
    spec = {"c", "bridge", {}, {}, false, {}, {{"com.docker.network.bridge.name", "wire"}}};
    EXPECT_EQ(error_of([&] { networks->create(spec); }, Code::conflict), "network interface wire already exists");
    for (const char* mtu : {"", "x", "10", "70000", "1500x", "-1"}) {
        spec.options = {{"com.docker.network.driver.mtu", mtu}};
        EXPECT_THAT(error_of([&] { networks->create(spec); }, Code::invalid_argument), testing::HasSubstr("mtu"))
            << mtu;
    }
    EXPECT_EQ(networks->list().size(), 1u);
    EXPECT_TRUE(link_names().contains("wire"));
}

TEST_F(Networking, TheLinksNameAndSizeAreTakenFromTheOptions) {
    NetworkSpec spec{"c",
                     "bridge",
                     {},
                     {},
                     false,
                     {{"label", "\xff"}},
                     {{"com.docker.network.bridge.name", "br-mine"}, {"com.docker.network.driver.mtu", "1400"}}};
    networks->create(spec);
    EXPECT_TRUE(link_names().contains("br-mine"));
    restart();
    Box box = start("box", {{"c", {}, {}}});
    std::string mtu;
    inside(box.netns.get(), [&] { mtu = mtu_of("eth0"); });
    EXPECT_EQ(mtu, "1400");
    EXPECT_EQ(mtu_of("br-mine"), "1400");
    networks->disconnect(box.id());
    networks->remove("c");
    EXPECT_FALSE(link_names().contains("br-mine"));
}

TEST_F(Networking, ABridgeThatSomebodyRemovedIsMadeAgain) {
    network("a");
    remove_link(networks->inspect("a").bridge);
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 80)});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
}

TEST_F(Networking, ANetworkIsFoundByNameIdAndTheIdsBeginning) {
    const std::string id = network("a");
    EXPECT_EQ(id.size(), 64u);
    for (const std::string& key : {id, id.substr(0, 12), std::string("a")}) EXPECT_EQ(networks->inspect(key).id, id);
    EXPECT_LE(networks->inspect("a").bridge.size(), 15u);
    Box box = start("box", {{id.substr(0, 12), {}, {}}});
    EXPECT_EQ(networks->inspect("a").containers, std::vector{box.id()});
    EXPECT_EQ(error_of([&] { networks->remove("a"); }, Code::conflict),
              "error while removing network: network a id " + id + " has active endpoints");
    networks->disconnect(box.id());
    networks->disconnect(box.id());
    networks->remove("a");
    EXPECT_TRUE(networks->list().empty());
}

TEST_F(Networking, AddressesRotateAndFixedOnesAreChecked) {
    network("a", false, "10.7.0.0/29");
    Box first = start("first", {{"a", {}, {}}});
    EXPECT_EQ(first.ip(), "10.7.0.2");
    EXPECT_EQ(first.attached.endpoints[0].mac, "02:42:0a:07:00:02");
    networks->disconnect(first.id());
    EXPECT_EQ(start("second", {{"a", {}, {}}}).ip(), "10.7.0.3") << "an address rests";
    EXPECT_EQ(start("fixed", {{"a", {}, "10.7.0.5"}}).ip(), "10.7.0.5");
    EXPECT_EQ(error_of(
                  [&] {
                      start("x", {{"a", {}, "10.7.0.5"}});
                  },
                  Code::conflict),
              "Address already in use: 10.7.0.5");
    for (const char* bad : {"10.8.0.2", "10.7.0.0", "10.7.0.7", "10.7.0", "x"}) {
        EXPECT_THAT(error_of(
                        [&] {
                            start("x", {{"a", {}, bad}});
                        },
                        Code::invalid_argument),
                    testing::ContainsRegex("^[Ii]nvalid "))
            << bad;
    }
    EXPECT_EQ(start("third", {{"a", {}, {}}}).ip(), "10.7.0.4");
    EXPECT_EQ(start("fourth", {{"a", {}, {}}}).ip(), "10.7.0.6");
    EXPECT_EQ(start("fifth", {{"a", {}, {}}}).ip(), "10.7.0.2");
    EXPECT_THAT(error_of(
                    [&] {
                        start("sixth", {{"a", {}, {}}});
                    },
                    Code::resource_exhausted),
                testing::StartsWith("no available IPv4 addresses"));
    network("b");
    EXPECT_THAT(error_of(
                    [&] {
                        start("x", {{"b", {}, {}}, {"b", {}, {}}});
                    },
                    Code::invalid_argument),
                testing::HasSubstr("twice"));
    EXPECT_THAT(error_of(
                    [&] {
                        start("x", {{"b", {}, {}}, {"nosuch", {}, {}}});
                    },
                    Code::not_found),
                testing::HasSubstr("nosuch"));
    EXPECT_TRUE(networks->inspect("b").containers.empty());
}

TEST_F(Networking, APortIsHeldAgainstEverybodyElse) {
    network("a");
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 80), {{}, 53, 53, Protocol::udp}, tcp(81, 81, "127.0.0.1")});
    const std::string taken = "Bind for 0.0.0.0:80 failed: port is already allocated";
    EXPECT_EQ(error_of([&] { start("x", {{"a", {}, {}}}, {tcp(1000, 1), tcp(80, 8080)}); }, Code::conflict), taken);
    EXPECT_EQ(error_of(
                  [&] {
                      start("x", {{"a", {}, {}}}, {{{}, 53, 53, Protocol::udp}});
                  },
                  Code::conflict),
              "Bind for 0.0.0.0:53 failed: port is already allocated");
    EXPECT_THAT(error_of(
                    [&] {
                        start("x", {{"a", {}, {}}}, {tcp(80, 80, "127.0.0.1")});
                    },
                    Code::conflict),
                testing::HasSubstr("127.0.0.1:80"));
    Box other = start("other", {{"a", {}, {}}}, {tcp(81, 81, "192.0.2.1"), tcp(1000, 1)});
    EXPECT_THROW(Service(host.get(), Protocol::tcp, 80, "host"), Error) << "nor can another program take it";
    EXPECT_THAT(error_of(
                    [&] {
                        start("x", {{"a", {}, {}}}, {tcp(80, 80, "::1%lo")});
                    },
                    Code::invalid_argument),
                testing::HasSubstr("not an address"));
    EXPECT_THAT(error_of(
                    [&] {
                        start("x", {{"a", {}, {}}}, {tcp(80, 80, "203.0.113.1")});
                    },
                    Code::internal),
                testing::HasSubstr("203.0.113.1:80"));
    networks->disconnect(web.id());
    Service free(host.get(), Protocol::tcp, 80, "host");
    EXPECT_EQ(error_of(
                  [&] {
                      start("x", {{"a", {}, {}}}, {tcp(80, 80)});
                  },
                  Code::conflict),
              taken)
        << "a program of the host's has it";
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "host 192.0.2.2");
}

TEST_F(Networking, ThePortOfANetworksNameServerIsNobodyElses) {
    network("a");
    const std::string gateway = networks->inspect("a").spec.gateway;
    for (Protocol protocol : {Protocol::udp, Protocol::tcp}) {
        const auto taken = [&] { start("x", {{"a", {}, {}}}, {{gateway, 53, 53, protocol}}); };
        EXPECT_EQ(error_of(taken, Code::conflict), "Bind for " + gateway + ":53 failed: port is already allocated");
    }
    Box other = start("other", {{"a", {}, {}}}, {{gateway, 54, 53, Protocol::udp}, {{}, 53, 53, Protocol::udp}});
    EXPECT_EQ(query(other.netns.get(), gateway, "other").code, "NOERROR");
}

TEST_F(Networking, OfTwoThatBeginAtOnceOneGetsThePort) {
    network("a");
    // What is between the two halves of a start: nobody listens yet.
    const Box first = reserve("first", {{"a", {}, {}}}, {tcp(80, 80)});
    for (const std::string address : {"", "127.0.0.1"}) {
        const auto second = [&] { reserve("second", {{"a", {}, {}}}, {tcp(80, 80, address)}); };
        EXPECT_EQ(error_of(second, Code::conflict),
                  "Bind for " + (address.empty() ? "0.0.0.0" : address) + ":80 failed: port is already allocated");
    }
    networks->connect(first.attachment, first.attached, first.netns.get());
    Service service(first.netns.get(), Protocol::tcp, 80, "first");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "first 192.0.2.2");
}

TEST_F(Networking, APortIsPublishedOnTheAskedAddressOnly) {
    network("a");
    Box web = start("web", {{"a", {}, {}}}, {tcp(8080, 80, "127.0.0.1")});
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    EXPECT_EQ(ask(host.get(), "127.0.0.1", 8080), "web 10.199.0.1");
    EXPECT_EQ(ask(host.get(), "192.0.2.1", 8080), "refused");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 8080), "refused");
    EXPECT_EQ(ask(web.netns.get(), "10.199.0.1", 8080), "refused");
}

TEST_F(Networking, AContainerDoesNotReachWhatListensOnTheHostsLoopback) {
    network("a");
    Box box = start("box", {{"a", {}, {}}});
    Service secret(host.get(), Protocol::udp, 999, "secret");
    // A container that may change its routes sends 127.0.0.1 out of eth0.
    inside(box.netns.get(), [&] {
        Fd sysctl = open_at(AT_FDCWD, "/proc/sys/net/ipv4/conf/all/route_localnet", O_WRONLY);
        write_all(sysctl.get(), "1");
        ifreq request{};
        std::strcpy(request.ifr_name, "lo");
        Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::ioctl(socket.get(), SIOCSIFFLAGS, &request), 0) << "lo is down: the default route leads everywhere";
    });
    EXPECT_NE(ask(box.netns.get(), "127.0.0.1", 999, Protocol::udp, 200), "secret 10.199.0.2");
}

TEST_F(Networking, APortOfZeroIsChosenAndTold) {
    network("a");
    Box web = start("web", {{"a", {}, {}}}, {tcp(0, 80)});
    const uint16_t port = web.attached.ports.at(0).host_port;
    EXPECT_GE(port, 1024);
    Service service(web.netns.get(), Protocol::tcp, 80, "web");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", port), "web 192.0.2.2");
}

TEST_F(Networking, AnInternalNetworkAlonePublishesNothingAndSaysSo) {
    network("closed", true);
    EXPECT_THAT(error_of(
                    [&] {
                        start("x", {{"closed", {}, {}}}, {tcp(80, 80)});
                    },
                    Code::invalid_argument),
                testing::HasSubstr("no network with a way out"));
    network("a");
    Box both = start("both", {{"closed", {}, {}}, {"a", {}, {}}}, {tcp(80, 80)});
    Service service(both.netns.get(), Protocol::tcp, 80, "both");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "both 192.0.2.2");
}

TEST_F(Networking, NothingIsLeftOfARemovedNetwork) {
    const auto before = link_names();
    network("a");
    { start("warm", {{"a", {}, {}}}, {tcp(80, 80)}); }  // what listens over IPv6 has a thread from now on
    networks->disconnect(networks->inspect("a").containers.at(0));
    networks->remove("a");
    const size_t files = open_files();
    network("a");
    {
        Box web = start("web", {{"a", {"alias"}, {}}}, {tcp(80, 80)});
        networks->disconnect(web.id());
    }
    networks->remove("a");
    // The container's end of the link dies with its namespace, and the host's end with it, in the kernel's own time.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (link_names() != before && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(link_names(), before);
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(nft_list(), "");
}

TEST_F(Networking, TwoHundredContainersComeAndGoWithoutLeaks) {
    network("a");
    restart();
    {
        Box warm = start("warm", {{"a", {}, {}}}, {tcp(8080, 80)});
        networks->disconnect(warm.id());
    }
    const size_t files = open_files();
    for (int i = 0; i < 200; ++i) {
        Box box = start("box", {{"a", {"alias"}, {}}}, {tcp(8080, 80), {{}, 8080, 80, Protocol::udp}});
        networks->disconnect(box.id());
    }
    EXPECT_EQ(open_files(), files);
    EXPECT_TRUE(networks->inspect("a").containers.empty());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const size_t expected = 4;  // lo, wire, wire0, the bridge
    while (link_names().size() > expected && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(link_names().size(), expected);
    EXPECT_EQ(nft_list().find("8080"), std::string::npos);
}
