#include "runtime/networks/endpoint_options.h"

#include "base/error.h"
#include "base/fd.h"
#include "runtime/networks/address_pool.h"
#include "runtime/networks/links.h"
#include "world.h"

#include <fcntl.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

using Ends = World;
using Options = std::map<std::string, std::string>;

constexpr const char* kName = "com.docker.network.endpoint.ifname";
constexpr const char* kSettings = "com.docker.network.endpoint.sysctls";

std::string refusal(const Options& options) {
    try {
        (void)parse_endpoint_options(options);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::invalid_argument);
        return error.what();
    }
    return {};
}

std::string inside_file(int netns, const std::string& path) {
    std::string text;
    inside(netns, [&] { text = read_file_at(AT_FDCWD, path); });
    return text;
}

/// Links of the namespace by name, with their hardware addresses. /sys shows those of whoever mounted it.
std::string link_lines(int netns) {
    return inside_file(netns, "/proc/thread-self/net/dev");
}

}  // namespace

TEST(EndpointOptions, AHardwareAddressIsSixBytesOfOneMachine) {
    EXPECT_EQ(to_string(*parse_mac("02:42:AC:11:00:02")), "02:42:ac:11:00:02");
    EXPECT_EQ(to_string(*parse_mac("02-42-ac-11-00-02")), "02:42:ac:11:00:02");
    for (const char* bad :
         {"", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02:42:ac:11:00:0g", "02:42-ac:11:00:02", "024:2:ac:11:00:02",
          "+2:42:ac:11:00:02", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"})
        EXPECT_FALSE(parse_mac(bad)) << bad;
}

TEST(EndpointOptions, OnlySettingsOfTheInterfaceCanBeNamed) {
    const EndpointOptions options = parse_endpoint_options(
        {{kName, "wan0"}, {kSettings, "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.mcast_solicit=2"}});
    EXPECT_EQ(options.interface, "wan0");
    EXPECT_EQ(options.settings, (std::vector<std::pair<std::string, std::string>>{
                                    {"ipv4/conf/IFNAME/log_martians", "1"}, {"ipv6/neigh/IFNAME/mcast_solicit", "2"}}));
    for (const char* bad : {"", "net.ipv4.conf.IFNAME.log_martians", "net.ipv4.conf.IFNAME.log_martians=",
                            "net.ipv4.conf.eth0.x=1", "net.ipv4.conf.all.forwarding=1", "kernel.x.y.IFNAME.z=1",
                            "net.ipv4.conf.IFNAME.../x=1", "net.core.conf.IFNAME.x=1", "net.ipv4.route.IFNAME.x=1",
                            "net.ipv4.conf.IFNAME.a.b=1", "net.ipv4.conf.IFNAME.x/y=1", "net.ipv4.conf.IFNAME.x=1,"})
        EXPECT_NE(refusal({{kSettings, bad}}), "") << bad;
    for (const char* bad : {"", "lo", ".", "..", "a/b", "a b", "sixteen-letters-", "a:b", "%d"})
        EXPECT_NE(refusal({{kName, bad}}), "") << bad;
    EXPECT_NE(refusal({{"com.docker.network.driver.mtu", "1400"}}).find("com.docker.network.driver.mtu"),
              std::string::npos);
}

TEST_F(Ends, ContainersGetTheNamesAddressesAndSettingsThatTheyAskFor) {
    network("front");
    network("back");
    Options options = {{kName, "wan0"}, {kSettings, "net.ipv4.conf.IFNAME.log_martians=1"}};
    Box box = start("box", {{"front", {}, {}, 0, "02:00:00:00:00:77", options}, {"back", {}, {}}});
    EXPECT_EQ(box.attached.endpoints[0].mac, "02:00:00:00:00:77");
    const std::string links = link_lines(box.netns.get());
    EXPECT_NE(links.find("wan0:"), std::string::npos) << links;
    EXPECT_NE(links.find("eth1:"), std::string::npos) << links;
    EXPECT_EQ(inside_file(box.netns.get(), "/proc/sys/net/ipv4/conf/wan0/log_martians"), "1\n");
    EXPECT_EQ(inside_file(box.netns.get(), "/proc/sys/net/ipv4/conf/eth1/log_martians"), "0\n");
    Service service(box.netns.get(), Protocol::tcp, 80, "box");
    Box client = start("client", {{"front", {}, {}}});
    EXPECT_EQ(ask(client.netns.get(), box.ip(), 80), "box " + client.ip()) << "the bridge knows where it is";
    EXPECT_NE(inside_file(client.netns.get(), "/proc/thread-self/net/arp").find("02:00:00:00:00:77"),
              std::string::npos);
    options[kSettings] = "net.ipv4.conf.IFNAME.no_such_setting=1";
    EXPECT_THROW((void)start("wrong", {{"front", {}, {}, 0, "", options}}), Error);
}

TEST_F(Ends, AuxiliaryAddressesAreGivenToNobody) {
    NetworkSpec spec;
    spec.name = "aux";
    spec.subnet = "10.77.0.0/29";
    spec.aux_addresses = {{"router", "10.77.0.2"}, {"printer", "10.77.0.4"}};
    (void)networks->create(spec);
    EXPECT_EQ(networks->inspect("aux").spec.aux_addresses, spec.aux_addresses);
    EXPECT_EQ(start("a", {{"aux", {}, {}}}).ip(), "10.77.0.3");
    EXPECT_THROW((void)start("b", {{"aux", {}, "10.77.0.4"}}), Error);
    restart();
    EXPECT_EQ(networks->inspect("aux").spec.aux_addresses, spec.aux_addresses);
    EXPECT_THROW((void)start("b", {{"aux", {}, "10.77.0.2"}}), Error) << "also by the next agent";
    for (const char* bad : {"10.78.0.1", "10.77.0.1", "nonsense", "fd00::1"}) {
        NetworkSpec wrong;
        wrong.name = "wrong";
        wrong.subnet = "10.79.0.0/29";
        wrong.gateway = "10.79.0.1";
        wrong.aux_addresses = {{"x", bad == std::string("10.77.0.1") ? "10.79.0.1" : bad}};
        EXPECT_THROW((void)networks->create(wrong), Error) << bad;
        EXPECT_THROW((void)networks->inspect("wrong"), Error) << "nothing of it is left";
    }
}
