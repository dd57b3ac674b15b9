#include "world.h"

#include "base/error.h"
#include "base/fault.h"
#include "dns_client.h"
#include "runtime/networks/links.h"

#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using Restarted = World;
using Moved = World;

PortBinding tcp(uint16_t host_port, uint16_t container_port) {
    return {{}, host_port, container_port, Protocol::tcp};
}

bool has_link(const std::string& name) {
    const auto links = list_links();
    return std::any_of(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
}

// A child that makes and removes a network and is meant to die meanwhile. It is this program again, as fault points are
// armed once for a process; it never gets as far as main().
const bool child = [] {
    const char* folder = std::getenv("KEDGE_TEST_NETWORK_FOLDER");
    if (!folder) return false;
    Database database(std::string(folder) + "/kedge.db");
    BridgeNetworks networks({std::getenv("KEDGE_TEST_INSTANCE"), {"10.199.0.0/16"}, "/nowhere"}, database);
    NetworkSpec spec;
    spec.name = "x";
    networks.create(spec);
    networks.remove("x");
    ::_exit(0);
}();

int run_child(const std::string& folder, const std::string& instance, const std::string& point) {
    std::vector<std::string> environment{"KEDGE_TEST_NETWORK_FOLDER=" + folder, "KEDGE_TEST_INSTANCE=" + instance,
                                         "KEDGE_FAULT=" + point};
    std::vector<char*> pointers;
    for (std::string& text : environment) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    char name[] = "child";
    char* arguments[] = {name, nullptr};
    pid_t pid = 0;
    EXPECT_EQ(::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, arguments, pointers.data()), 0);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return status;
}

}  // namespace

TEST_F(Restarted, ContainersAreReachedWhileNoAgentRunsAndAfterAdoption) {
    network("a");
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 8080)});
    Box client = start("client", {{"a", {}, {}}});
    Service service(web.netns.get(), Protocol::tcp, 8080, "web");
    networks.reset();
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
    EXPECT_EQ(ask(client.netns.get(), web.ip(), 8080), "web " + client.ip());
    restart();
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2") << "before adoption as well";
    networks->adopt(web.attachment, web.attached);
    networks->adopt(web.attachment, web.attached);
    networks->remove_leftovers();
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
    EXPECT_EQ(ask(client.netns.get(), web.ip(), 8080), "Network is unreachable")
        << "client was not adopted: its link is a leftover";
    EXPECT_THROW(start("x", {{"a", {}, {}}}, {tcp(80, 80)}), Error);
    EXPECT_THROW(start("x", {{"a", {}, web.ip()}}), Error) << "its address is taken";
    EXPECT_EQ(query(web.netns.get(), "10.199.0.1", "web").data, std::vector{web.ip()});
    networks->disconnect(web.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "refused");
}

TEST_F(Restarted, LeftoversOfUnknownContainersAndNetworksGo) {
    const std::string id = network("a");
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 8080)});
    const std::string bridge = networks->inspect("a").bridge;
    make_bridge(bridge.substr(0, 7) + "00000000", "kedge instance " + instance, Ipv4::parse("10.198.0.1"),
                Subnet::parse("10.198.0.0/24"));
    make_bridge(bridge.substr(0, 7) + "11111111", "kedge instance somebody-else", Ipv4::parse("10.197.0.1"),
                Subnet::parse("10.197.0.0/24"));
    restart();
    networks->remove_leftovers();
    EXPECT_TRUE(has_link(bridge));
    EXPECT_FALSE(has_link(bridge.substr(0, 7) + "00000000"));
    EXPECT_TRUE(has_link(bridge.substr(0, 7) + "11111111")) << "another agent's";
    EXPECT_TRUE(has_link("wire"));
    EXPECT_EQ(nft_list().find("8080"), std::string::npos);
    EXPECT_EQ(list_links().size(), 5u) << "the container's link is gone: lo, wire, wire0, two bridges";
}

TEST_F(Restarted, BridgesAndTheTableAreMadeAgainAfterAReboot) {
    network("a");
    remove_link(networks->inspect("a").bridge);
    nft("flush ruleset");
    restart();
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 8080)});
    Service service(web.netns.get(), Protocol::tcp, 8080, "web");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
    EXPECT_EQ(query(web.netns.get(), "10.199.0.1", "web").data, std::vector{web.ip()});
}

TEST_F(Restarted, ATableThatSomebodyFlushedIsPutBackWithTheNextChange) {
    network("a");
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 8080)});
    Service service(web.netns.get(), Protocol::tcp, 8080, "web");
    nft("flush ruleset");
    Box other = start("other", {{"a", {}, {}}}, {tcp(81, 8080)});
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
}

TEST_F(Restarted, TwoAgentsLiveOnOneHost) {
    Database other_database(folder + "/other.db");
    BridgeNetworks other({instance + "-2", {"10.199.0.0/16"}, folder + "/resolv.conf"}, other_database);
    network("a");
    NetworkSpec spec;
    spec.name = "a";
    const std::string id = other.create(spec);
    EXPECT_EQ(other.inspect(id).spec.subnet, "10.199.1.0/24") << "the other's network is one of the host's";
    Box web = start("web", {{"a", {}, {}}}, {tcp(80, 8080)});
    Service service(web.netns.get(), Protocol::tcp, 8080, "web");
    other.remove_leftovers();
    networks->remove_leftovers();
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
    other.remove("a");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "web 192.0.2.2");
}

TEST_F(Restarted, ADeathAtAnyPointLeavesNoNetworkHalfMade) {
    network("kept");
    ASSERT_FALSE(child);
    networks.reset();
    database.reset();
    for (const char* point : {"network.create.before_record", "network.create.after_record",
                              "network.remove.before_record", "network.remove.after_record"}) {
        const int status = run_child(folder, instance, point);
        ASSERT_TRUE(WIFSIGNALED(status)) << point;
        database = std::make_unique<Database>(folder + "/kedge.db");
        restart();
        networks->remove_leftovers();
        for (const NetworkInfo& info : networks->list()) {
            EXPECT_TRUE(has_link(info.bridge)) << point << ": " << info.spec.name << " has its bridge";
            if (info.spec.name != "kept") networks->remove(info.id);
        }
        EXPECT_EQ(list_links().size(), 4u) << point;
        EXPECT_EQ(networks->list().size(), 1u) << point;
        networks.reset();
        database.reset();
    }
}

TEST_F(Moved, NoConnectionFailsWhilePortsMoveBackAndForth) {
    network("a");
    Box blue = start("blue", {{"a", {}, {}}}, {tcp(80, 8080)});
    Box green = start("green", {{"a", {}, {}}}, {tcp(80, 8080)}, false);
    EXPECT_TRUE(green.attached.ports.empty());
    Service blue_service(blue.netns.get(), Protocol::tcp, 8080, "blue");
    Service green_service(green.netns.get(), Protocol::tcp, 8080, "green");
    std::atomic<bool> stop{false};
    std::atomic<int> from_blue{0}, from_green{0}, failed{0};
    std::thread client([&] {
        inside(outside.get(), [&] {
            while (!stop) {
                const std::string answer = ask(outside.get(), "192.0.2.1", 80, Protocol::tcp, 3000);
                ++(answer == "blue 192.0.2.2" ? from_blue : answer == "green 192.0.2.2" ? from_green : failed);
            }
        });
    });
    while (from_blue == 0 && failed == 0) std::this_thread::yield();
    double slowest = 0;
    for (int i = 0; i < 100; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        networks->move_ports(i % 2 ? green.id() : blue.id(), i % 2 ? blue.id() : green.id());
        slowest = std::max(slowest,
                           std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
        const int seen = from_blue + from_green + failed;
        while (from_blue + from_green + failed < seen + 3) std::this_thread::yield();
    }
    stop = true;
    client.join();
    EXPECT_EQ(failed, 0);
    EXPECT_GT(from_green, 50);
    EXPECT_GT(from_blue, 50);
    RecordProperty("slowest_move_ms", std::to_string(slowest));
    EXPECT_THROW(start("x", {{"a", {}, {}}}, {tcp(80, 80)}), Error) << "the port is still held";
    networks->disconnect(green.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "blue 192.0.2.2")
        << "the one that lost its ports takes nothing with it";
}

TEST_F(Moved, DatagramsOfAnOldFlowGoToTheSuccessor) {
    network("a");
    const PortBinding port{{}, 5000, 5000, Protocol::udp};
    Box blue = start("blue", {{"a", {}, {}}}, {port});
    Box green = start("green", {{"a", {}, {}}}, {port}, false);
    Service blue_service(blue.netns.get(), Protocol::udp, 5000, "blue");
    Service green_service(green.netns.get(), Protocol::udp, 5000, "green");
    Flow flow(outside.get(), "192.0.2.1", 5000);
    EXPECT_EQ(flow.ask(), "blue 192.0.2.2");
    networks->move_ports(blue.id(), green.id());
    EXPECT_EQ(flow.ask(), "green 192.0.2.2");
}

TEST_F(Moved, AConnectionThatIsOpenStaysWhereItIs) {
    network("a");
    Box blue = start("blue", {{"a", {}, {}}}, {tcp(80, 8080)});
    Box green = start("green", {{"a", {}, {}}}, {tcp(80, 8080)}, false);
    Echo blue_service(blue.netns.get(), 8080, "blue");
    Echo green_service(green.netns.get(), 8080, "green");
    Connection old(outside.get(), "192.0.2.1", 80);
    EXPECT_EQ(old.say("one"), "blue one");
    networks->move_ports(blue.id(), green.id());
    EXPECT_EQ(old.say("two"), "blue two");
    EXPECT_EQ(Connection(outside.get(), "192.0.2.1", 80).say("three"), "green three");
}

TEST_F(Moved, PortsThatCouldNotBeWrittenDownLeadWhereTheyLed) {
    network("a");
    Box blue = start("blue", {{"a", {}, {}}}, {tcp(80, 8080)});
    Box green = start("green", {{"a", {}, {}}}, {tcp(80, 8080), tcp(81, 8081)}, false);
    Service blue_service(blue.netns.get(), Protocol::tcp, 8080, "blue");
    Service green_service(green.netns.get(), Protocol::tcp, 8080, "green");
    Service green_more(green.netns.get(), Protocol::tcp, 8081, "more");
    std::vector<PortBinding> told;
    auto full_disk = [&](const std::vector<PortBinding>&) { throw Error(Code::resource_exhausted, "disk full"); };
    EXPECT_THROW(networks->move_ports(blue.id(), green.id(), full_disk), Error);
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "blue 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 81), "refused") << "the successor's other port leads nowhere yet";
    networks->move_ports(blue.id(), green.id(), [&](const std::vector<PortBinding>& ports) { told = ports; });
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "green 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 81), "more 192.0.2.2");
    ASSERT_EQ(told.size(), 4u) << "of both families";
    EXPECT_EQ(told[0].host_port, 80);
    EXPECT_EQ(told[2].host_port, 81);
}

TEST_F(Moved, ASuccessorThatPublishesLessClosesTheRestAndTheWayBackOpensItAgain) {
    network("a");
    Box blue = start("blue", {{"a", {}, {}}}, {tcp(80, 8080), tcp(83, 9090)});
    Box less = start("less", {{"a", {}, {}}}, {tcp(83, 9090)}, false);
    Service first(blue.netns.get(), Protocol::tcp, 8080, "first");
    Service second(blue.netns.get(), Protocol::tcp, 9090, "second");
    Service fewer(less.netns.get(), Protocol::tcp, 9090, "fewer");
    networks->move_ports(blue.id(), less.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 83), "fewer 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "refused");
    networks->move_ports(less.id(), blue.id());
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 83), "second 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "first 192.0.2.2");
}

TEST_F(Moved, ASuccessorThatPublishesMoreOpensTheRest) {
    network("a");
    Box blue = start("blue", {{"a", {}, {}}}, {tcp(80, 8080), tcp(0, 9090)});
    Box more = start("more", {{"a", {}, {}}}, {tcp(80, 8081), tcp(0, 9090), tcp(82, 8082)}, false);
    EXPECT_THROW(networks->move_ports(blue.id(), "nosuch"), Error);
    networks->move_ports(blue.id(), more.id());
    Service one(more.netns.get(), Protocol::tcp, 8081, "one");
    Service two(more.netns.get(), Protocol::tcp, 9090, "two");
    Service three(more.netns.get(), Protocol::tcp, 8082, "three");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 80), "one 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", blue.attached.ports[2].host_port), "two 192.0.2.2");
    EXPECT_EQ(ask(outside.get(), "192.0.2.1", 82), "three 192.0.2.2");
}
