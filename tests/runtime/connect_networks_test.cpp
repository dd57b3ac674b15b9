#include "tests/runtime/engine_fixture.h"

#include <set>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct ConnectNetworks : test::EngineFixture {
    std::string sleeper(const std::string& name, const std::string& network) {
        ContainerSpec spec = shell("sleep 1000", name);
        if (network == "host" || network == "none" || network.starts_with("container:"))
            spec.network_mode = network;
        else
            spec.networks = {on(network)};
        return run(spec);
    }
    std::string links(const std::string& id) { return exec(id, "ls /sys/class/net | sort | tr '\\n' ' '").output; }
    std::string default_gateway(const std::string& id) {
        return exec(id, "ip route | grep ^default | cut -d' ' -f3").output;
    }
    std::string look_up(const std::string& id, const std::string& name) {
        return exec(id, "nslookup " + name + ". 2>&1 | grep '^Address' | grep -v ':53' | cut -d' ' -f2- | sort").output;
    }
    NetworkEndpoint endpoint(const std::string& id, const std::string& network) {
        for (const NetworkEndpoint& e : containers().inspect(id).endpoints) {
            if (e.network == network) return e;
        }
        ADD_FAILURE() << "no endpoint on " << network;
        return {};
    }
    std::set<std::string> networks_of(const std::string& id) {
        std::set<std::string> names;
        for (const NetworkAttachment& a : containers().inspect(id).networks) names.insert(a.network);
        return names;
    }
    std::string gateway(const std::string& network) { return engine->networks().inspect(network).spec.gateway; }
    /// Actions of network events of a container, in order.
    std::vector<std::string> told(const std::string& id) {
        std::vector<std::string> actions;
        (void)engine->events().read(
            0,
            [&](const Event& event) {
                auto container = event.attributes.find("container");
                if (event.type == "network" && container != event.attributes.end() && container->second == id)
                    actions.push_back(event.action + " " + event.attributes.at("name"));
            },
            {}, std::chrono::steady_clock::now());
        return actions;
    }
};

}  // namespace

TEST_F(ConnectNetworks, ARunningContainerJoinsAndLeaves) {
    make_network("front");
    make_network("back");
    std::string web = sleeper("web", "front");
    std::string client = sleeper("client", "back");
    containers().connect_network("web", on("back", {"www"}));
    EXPECT_EQ(links(web), "eth0 eth1 lo ");
    EXPECT_EQ(default_gateway(web), gateway("back") + "\n") << "the first by name, as Docker's";
    for (const char* name : {"web", "www"}) EXPECT_EQ(look_up(client, name), endpoint(web, "back").ip + "\n") << name;
    EXPECT_EQ(look_up(web, "client"), endpoint(client, "back").ip + "\n");
    EXPECT_NE(exec(web, "cat /etc/hosts").output.find(endpoint(web, "back").ip), std::string::npos);
    EXPECT_EQ(engine->networks().inspect("back").containers.size(), 2u);
    close_engine();
    open_engine();
    EXPECT_EQ(look_up(client, "www"), endpoint(web, "back").ip + "\n") << "the next agent knows it";
    containers().restart(web, 0);
    EXPECT_EQ(links(web), "eth0 eth1 lo ") << "and so does the next start";
    EXPECT_EQ(look_up(client, "www"), endpoint(web, "back").ip + "\n");

    containers().disconnect_network("web", "front");
    EXPECT_EQ(links(web), "eth1 lo ");
    EXPECT_EQ(default_gateway(web), gateway("back") + "\n");
    EXPECT_EQ(exec(web, "head -n 1 /etc/resolv.conf").output, "nameserver " + gateway("back") + "\n");
    EXPECT_EQ(look_up(web, "client"), endpoint(client, "back").ip + "\n");
    EXPECT_NO_THROW(engine->networks().remove("front"));
    containers().disconnect_network("web", "back");
    EXPECT_EQ(links(web), "lo ");
    EXPECT_EQ(look_up(client, "web"), "");
    EXPECT_EQ(containers().inspect(web).endpoints.size(), 0u);
    containers().restart(web, 0);
    EXPECT_EQ(links(web), "lo ") << "what was left stays left";
    EXPECT_EQ(containers().inspect(web).spec.networks.size(), 1u) << "what was asked for at first is still known";
}

TEST_F(ConnectNetworks, TheDefaultRouteAndItsPriority) {
    make_network("front");
    make_network("back");
    make_network("zone");
    std::string web = sleeper("web", "front");
    NetworkAttachment zone = on("zone");
    zone.gateway_priority = 5;
    containers().connect_network(web, zone);
    EXPECT_EQ(default_gateway(web), gateway("zone") + "\n");
    containers().connect_network(web, on("back"));
    EXPECT_EQ(default_gateway(web), gateway("zone") + "\n");
    containers().disconnect_network(web, "zone");
    EXPECT_EQ(default_gateway(web), gateway("back") + "\n");
    containers().connect_network(web, on("zone"));
    EXPECT_EQ(links(web), "eth0 eth1 eth2 lo ") << "the name that became free is used again";
}

TEST_F(ConnectNetworks, AStoppedContainerJoinsAtItsNextStart) {
    make_network("front");
    make_network("back");
    ContainerSpec spec = shell("sleep 1000", "web");
    spec.networks = {on("front")};
    std::string web = containers().create(spec);
    containers().connect_network(web, on("back", {"www"}));
    containers().disconnect_network(web, "front");
    EXPECT_EQ(networks_of(web), std::set<std::string>{"back"});
    close_engine();
    open_engine();
    containers().start(web);
    EXPECT_EQ(links(web), "eth0 lo ");
    EXPECT_EQ(endpoint(web, "back").aliases, std::vector<std::string>{"www"});
    EXPECT_EQ(told(web), (std::vector<std::string>{"connect back"}));
    containers().connect_network(web, on("front"));
    containers().stop(web, 0);
    EXPECT_EQ(told(web),
              (std::vector<std::string>{"connect back", "connect front", "disconnect back", "disconnect front"}));
}

TEST_F(ConnectNetworks, ModesAndWrongNetworksAreRefusedInDockersWords) {
    make_network("front");
    std::string web = sleeper("web", "front"), alone = sleeper("alone", "none"), host = sleeper("hosted", "host");
    std::string shares = sleeper("shares", "container:web");
    Code code = Code::internal;
    auto connect = [&](const std::string& id, const std::string& network) {
        return refusal([&] { containers().connect_network(id, on(network)); }, &code);
    };
    auto disconnect = [&](const std::string& id, const std::string& network, bool force = false) {
        return refusal([&] { containers().disconnect_network(id, network, force); }, &code);
    };
    EXPECT_EQ(connect("web", "front"), "endpoint with name web already exists in network front");
    EXPECT_EQ(code, Code::permission_denied);
    EXPECT_EQ(connect("web", "nosuch"), "network nosuch not found");
    EXPECT_EQ(code, Code::not_found);
    EXPECT_EQ(connect("nosuch", "front"), "No such container: nosuch");
    EXPECT_EQ(connect("web", "host"),
              "container cannot be disconnected from host network or connected to host network");
    EXPECT_EQ(connect("web", "none"),
              "container cannot be connected to multiple networks with one of the networks in private (none) mode");
    const std::string shared =
        "container sharing network namespace with another container or host cannot be connected to any other network";
    EXPECT_EQ(connect("hosted", "front"), shared);
    EXPECT_EQ(connect("shares", "front"), shared);
    EXPECT_EQ(connect("alone", "front"),
              "container cannot be connected to multiple networks with one of the networks in private (none) mode");
    EXPECT_EQ(disconnect("hosted", "host"),
              "container cannot be disconnected from host network or connected to host network");
    EXPECT_EQ(disconnect("alone", "front"), "container " + alone + " is not connected to network front");
    EXPECT_EQ(code, Code::permission_denied);
    EXPECT_EQ(disconnect("nosuch", "front", true), "endpoint nosuch not found");
    containers().disconnect_network(alone, "none");
    containers().connect_network(alone, on("front"));
    EXPECT_EQ(links(alone), "eth0 lo ");
}

TEST_F(ConnectNetworks, AddressesAreCheckedAndGivenBack) {
    NetworkSpec spec;
    spec.name = "front";
    spec.subnet = "172.28.7.0/24";
    spec.ip_range = "172.28.7.128/25";
    engine->networks().create(spec);
    make_network("back");
    std::string first = sleeper("first", "front"), web = sleeper("web", "back");
    EXPECT_EQ(endpoint(first, "front").ip, "172.28.7.128") << "the first of the range";
    auto at = [&](const std::string& address) {
        NetworkAttachment attachment = on("front");
        attachment.ip = address;
        return attachment;
    };
    EXPECT_EQ(refusal([&] { containers().connect_network(web, at("10.9.9.9")); }),
              "Invalid address 10.9.9.9: It does not belong to any of this network's subnets");
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { containers().connect_network(web, at("172.28.7.128")); }, &code),
              "Address already in use: 172.28.7.128");
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(networks_of(web), std::set<std::string>{"back"}) << "a refusal changes nothing";
    EXPECT_EQ(links(web), "eth0 lo ");
    containers().connect_network(web, at("172.28.7.9"));
    EXPECT_EQ(endpoint(web, "front").ip, "172.28.7.9");
    containers().disconnect_network(web, "front");
    containers().connect_network(web, at("172.28.7.9"));
    EXPECT_EQ(endpoint(web, "front").ip, "172.28.7.9") << "it was given back";
}

TEST_F(ConnectNetworks, OnTheDefaultNetworkNobodyHasAName) {
    ContainerSpec spec = shell("sleep 1000", "web");
    spec.network_mode = "bridge";
    std::string web = run(spec);
    spec.name = "client";
    std::string client = run(spec);
    EXPECT_EQ(look_up(client, "web"), "");
    EXPECT_EQ(refusal([&] { containers().connect_network(web, on("bridge", {"www"})); }),
              "network-scoped alias is supported only for containers in user defined networks");
    make_network("front");
    containers().connect_network(web, on("front"));
    containers().connect_network(client, on("front"));
    EXPECT_EQ(look_up(client, "web"), endpoint(web, "front").ip + "\n") << "on another network it has";
}

TEST_F(ConnectNetworks, TheDefaultNetworkHasTheIpv6ThatIsConfigured) {
    auto begin = [&](const std::string& name) {
        ContainerSpec spec = shell("sleep 1000", name);
        spec.network_mode = "bridge";
        return run(spec);
    };
    auto configure = [&](bool ipv6, const std::string& subnet) {
        close_engine();
        options.default_network = {ipv6, subnet};
        open_engine();
        return engine->networks().inspect("bridge").spec;
    };
    std::string web = begin("web");
    const NetworkInfo before = engine->networks().inspect("bridge");
    EXPECT_FALSE(before.spec.ipv6);
    EXPECT_EQ(configure(true, "fd00:a::/64").subnet6, "fd00:a::/64");
    const NetworkSpec made = configure(true, "fd00:b:0::/64");
    EXPECT_TRUE(made.ipv6);
    EXPECT_EQ(made.subnet6, "fd00:b::/64");
    EXPECT_EQ(made.gateway6, "fd00:b::1");
    EXPECT_EQ(made.subnet, before.spec.subnet);
    EXPECT_EQ(engine->networks().inspect("bridge").id, before.id);
    EXPECT_EQ(endpoint(web, "bridge").ip6, "") << "what runs stays as it is";
    std::string client = begin("client");
    EXPECT_TRUE(endpoint(client, "bridge").ip6.starts_with("fd00:b::"));
    containers().restart(web, 0);
    const std::string ip6 = endpoint(web, "bridge").ip6;
    EXPECT_EQ(exec(client, "ping -6 -c1 -w5 " + ip6 + " >/dev/null; echo $?").output, "0\n");
    EXPECT_EQ(exec(client, "ping -6 -c1 -w5 fd00:b::1 >/dev/null; echo $?").output, "0\n");
    EXPECT_EQ(exec(client, "ping -6 -c1 -W1 fd00:a::1 >/dev/null; echo $?").output, "1\n") << "it went with its subnet";

    testing::internal::CaptureStderr();
    EXPECT_EQ(configure(true, "fd00:c::/64").subnet6, "fd00:b::/64") << "somebody has an address of it";
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_NE(told.find("network bridge keeps the IPv6 subnet fd00:b::/64: container "), std::string::npos) << told;
    EXPECT_EQ(exec(client, "ping -6 -c1 -w5 fd00:b::1 >/dev/null; echo $?").output, "0\n");
    containers().stop(web, 0);
    containers().stop(client, 0);
    EXPECT_EQ(configure(true, "fd00:c::/64").subnet6, "fd00:c::/64");
    EXPECT_EQ(configure(true, "").subnet6, "fd00:c::/64") << "any is as good";
    containers().start(web);
    EXPECT_EQ(exec(web, "ping -6 -c1 -w5 fd00:c::1 >/dev/null; echo $?").output, "0\n");
    containers().stop(web, 0);
    const NetworkSpec off = configure(false, "");
    EXPECT_FALSE(off.ipv6);
    EXPECT_EQ(off.subnet6, "");
    containers().start(web);
    EXPECT_EQ(endpoint(web, "bridge").ip6, "");
    EXPECT_EQ(exec(web, "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6").output, "1\n");
}

TEST_F(ConnectNetworks, AContainerWithIpv6AloneAsksForNamesAndRunsOnUnderTheNextAgent) {
    NetworkSpec spec;
    spec.name = "six";
    spec.ipv4 = false;
    spec.ipv6 = true;
    spec.subnet6 = "fd00:d::/64";
    engine->networks().create(spec);
    make_network("front");
    std::string web = sleeper("web", "six"), client = sleeper("client", "six");
    EXPECT_EQ(exec(web, "head -n 1 /etc/resolv.conf").output, "nameserver fd00:d::1\n");
    const std::string ip6 = endpoint(web, "six").ip6;
    EXPECT_EQ(exec(web, "tail -n 1 /etc/hosts | cut -f1").output, ip6 + "\n");
    EXPECT_EQ(exec(web, "cut -f1 /etc/hosts | grep -c '^$'").output, "0\n") << "a line without an address";
    EXPECT_EQ(exec(client, "ping -6 -c1 -w5 web >/dev/null; echo $?").output, "0\n");
    NetworkAttachment fixed = on("six");
    fixed.ip = "172.28.0.9";
    EXPECT_EQ(refusal([&] { containers().connect_network(sleeper("late", "front"), fixed); }),
              "invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks "
              "with user configured subnets");
    close_engine();
    open_engine();
    EXPECT_EQ(endpoint(web, "six").ip6, ip6);
    EXPECT_EQ(exec(client, "ping -6 -c1 -w5 web >/dev/null; echo $?").output, "0\n");
    containers().connect_network(client, on("front"));
    EXPECT_EQ(default_gateway(client), gateway("front") + "\n");
    EXPECT_EQ(look_up(client, "late"), endpoint("late", "front").ip + "\n");
    containers().disconnect_network(client, "six");
    EXPECT_EQ(exec(client, "head -n 1 /etc/resolv.conf").output, "nameserver " + gateway("front") + "\n");
    containers().restart(web, 0);
    EXPECT_NE(endpoint(web, "six").ip6, "");
}

TEST_F(ConnectNetworks, TheDefaultNetworkLeavesNothingInTheKernelWhenNobodyIsOnIt) {
    provide_default_network(engine->networks());
    provide_default_network(engine->networks());
    const std::string id = engine->networks().inspect("bridge").id;
    close_engine();
    EXPECT_EQ(wait_for_no_links(), std::vector<std::string>{});
    open_engine();
    EXPECT_EQ(engine->networks().inspect("bridge").id, id);
    ContainerSpec spec = shell("sleep 1000", "web");
    spec.network_mode = "bridge";
    EXPECT_EQ(links(run(spec)), "eth0 lo ");
}
