#include "tests/runtime/engine_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

/// What a server behind this port of the host's loopback says; empty if none answers within five seconds.
std::string ask(uint16_t port, Protocol protocol = Protocol::tcp) {
    bool tcp = protocol == Protocol::tcp;
    Fd socket(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
    timeval patience{5, 0};
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
    std::string answer;
    char buffer[4096];
    if (!tcp && ::send(socket.get(), "hello\n", 6, MSG_NOSIGNAL) != 6) return {};
    while (ssize_t n = ::recv(socket.get(), buffer, sizeof buffer, 0)) {
        if (n < 0) break;
        answer.append(buffer, static_cast<size_t>(n));
        if (!tcp) break;
    }
    return answer;
}

/// Asks until somebody answers: the program in the container may not be listening yet.
std::string ask_patiently(uint16_t port, Protocol protocol = Protocol::tcp) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string answer;
    while ((answer = ask(port, protocol)).empty() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    return answer;
}

PortBinding publish(uint16_t host_port, uint16_t container_port, Protocol protocol = Protocol::tcp) {
    PortBinding port;
    port.host_port = host_port;
    port.container_port = container_port;
    port.protocol = protocol;
    return port;
}

struct ContainerNetworks : test::EngineFixture {
    /// A server of one line, which says that it is ready.
    ContainerSpec server(const std::string& says, const std::string& name = {}) {
        ContainerSpec spec = shell("echo ready; while :; do echo " + says + " | nc -l -p 80; done", name);
        spec.networks = {on("front")};
        return spec;
    }
    std::string output_of(const ContainerSpec& spec) {
        std::string id = run(spec);
        (void)containers().wait(id);
        return log_of(id);
    }
    std::string ready(const ContainerSpec& spec, const StartOptions& start_options = {}) {
        std::string id = containers().create(spec);
        containers().start(id, start_options);
        EXPECT_TRUE(wait_for_log(id, "ready"));
        return id;
    }
    std::string address(const std::string& id) { return containers().inspect(id).endpoints.at(0).ip; }
    /// What the name server tells a container about a name: the addresses.
    std::string look_up(const std::string& id, const std::string& name) {
        return exec(id, "nslookup " + name + ". 2>&1 | grep '^Address' | grep -v ':53' | cut -d' ' -f2- | sort").output;
    }
};

}  // namespace

TEST_F(ContainerNetworks, ContainersReachEachOtherByNameAliasAndShortId) {
    make_network("front");
    ContainerSpec spec = server("pong", "web");
    spec.networks = {on("front", {"www", "api"})};
    std::string web = ready(spec);
    spec = shell("sleep 1000", "client");
    spec.networks = {on("front")};
    std::string client = run(spec);
    for (const std::string& name :
         {std::string("web"), std::string("www"), std::string("api"), std::string("WEB"), web.substr(0, 12)}) {
        EXPECT_EQ(look_up(client, name), address(web) + "\n") << name;
    }
    EXPECT_EQ(exec(client, "nc web 80 </dev/null").output, "pong\n");
    EXPECT_EQ(look_up(client, "client"), address(client) + "\n");
    EXPECT_EQ(look_up(client, "nosuch"), "");
}

TEST_F(ContainerNetworks, NamesFollowTheContainersLife) {
    make_network("front");
    ContainerSpec spec = shell("sleep 1000", "client");
    spec.networks = {on("front")};
    std::string client = run(spec);
    spec = shell("sleep 1000", "web");
    spec.networks = {on("front", {"shared"})};
    std::string first = run(spec);
    spec.name = "web2";
    std::string second = run(spec);
    std::string both = look_up(client, "shared");
    EXPECT_NE(both.find(address(first) + "\n"), std::string::npos) << both;
    EXPECT_NE(both.find(address(second) + "\n"), std::string::npos) << both;
    std::string second_address = address(second);
    containers().remove(first, {.force = true});
    EXPECT_EQ(look_up(client, "web"), "");
    EXPECT_EQ(look_up(client, "shared"), second_address + "\n");
    containers().rename("web2", "renamed");
    EXPECT_EQ(look_up(client, "renamed"), second_address + "\n") << "at once, not only after the next start";
    EXPECT_EQ(look_up(client, "web2"), "");
    close_engine();
    open_engine();
    EXPECT_EQ(look_up(client, "renamed"), second_address + "\n");
    EXPECT_EQ(look_up(client, "shared"), second_address + "\n");
}

TEST_F(ContainerNetworks, NetworksAreApart) {
    make_network("front");
    make_network("back");
    std::string web = ready(server("pong", "web"));
    ContainerSpec spec = shell("sleep 1000");
    spec.networks = {on("back")};
    std::string stranger = run(spec);
    EXPECT_EQ(look_up(stranger, "web"), "");
    EXPECT_NE(exec(stranger, "nc -w 1 " + address(web) + " 80 </dev/null").exit_code, 0);
    spec.networks = {on("back"), on("front")};
    std::string both = run(spec);
    EXPECT_EQ(exec(both, "nc web 80 </dev/null").output, "pong\n");
    EXPECT_EQ(exec(both, "ls /sys/class/net | sort | tr '\\n' ' '").output, "eth0 eth1 lo ");
}

TEST_F(ContainerNetworks, Ipv6IsThereWhereTheNetworkHasIt) {
    NetworkSpec network;
    network.name = "wide";
    network.ipv6 = true;
    network.subnet6 = "fd00:5::/64";
    engine->networks().create(network);
    make_network("front");
    const std::string tell = "cat /etc/hosts; ip -6 addr show eth0; cd /proc/sys/net/ipv6/conf; cat eth0/disable_ipv6";
    ContainerSpec spec = shell(tell);
    spec.networks = {on("wide")};
    std::string text = output_of(spec);
    EXPECT_NE(text.find("::1\tlocalhost ip6-localhost"), std::string::npos) << text;
    EXPECT_NE(text.find("fd00:5::2\t"), std::string::npos) << text;
    EXPECT_NE(text.find("inet6 fd00:5::2/64 scope global"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\n0\n")) << text;
    spec.sysctls = {{"net.ipv6.conf.all.disable_ipv6", "1"}};
    text = output_of(spec);
    EXPECT_EQ(text.find("fd00:5::"), std::string::npos) << text;
    EXPECT_EQ(text.find("::1"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\n1\n")) << text;
    spec = shell(tell);
    spec.networks = {on("front")};
    text = output_of(spec);
    EXPECT_EQ(text.find("inet6"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\n1\n")) << text;
    spec.sysctls = {{"net.ipv6.conf.eth0.disable_ipv6", "0"}};
    EXPECT_TRUE(output_of(spec).ends_with("\n0\n")) << "who asks for it has it";
    spec = shell("sleep 100");
    spec.networks = {on("wide")};
    spec.networks[0].ip6 = "fd00:5::77";
    std::string id = run(spec);
    EXPECT_EQ(containers().inspect(id).endpoints.at(0).ip6, "fd00:5::77");
    close_engine();
    open_engine();
    EXPECT_EQ(containers().inspect(id).endpoints.at(0).ip6, "fd00:5::77") << "the next agent knows it";
    const std::string second = containers().create(spec);
    EXPECT_EQ(code_of([&] { containers().start(second); }), Code::conflict) << "another container has it";
    for (const char* wrong : {"fd00:6::77", "fd00:5::", "10.0.0.1"}) {
        spec.networks[0].ip6 = wrong;
        EXPECT_EQ(code_of([&] { containers().create(spec); }), Code::invalid_argument) << wrong;
    }
    spec.networks = {on("front")};
    spec.networks[0].ip6 = "fd00:5::78";
    EXPECT_EQ(code_of([&] { containers().create(spec); }), Code::invalid_argument) << "the network has none";
}

TEST_F(ContainerNetworks, PublishedPortsAnswerOnTheHostsLoopback) {
    make_network("front");
    ContainerSpec spec = server("pong");
    spec.ports = {publish(18082, 80), publish(0, 80)};
    std::string id = ready(spec);
    std::vector<PortBinding> ports = containers().inspect(id).ports;
    ASSERT_EQ(ports.size(), 4u) << "both families";
    EXPECT_EQ(ports[0].host_ip, "0.0.0.0");
    EXPECT_EQ(ports[1].host_ip, "::");
    EXPECT_EQ(ports[1].host_port, 18082);
    EXPECT_NE(ports[2].host_port, 0) << "a free port was chosen";
    EXPECT_EQ(ports[3].host_port, ports[2].host_port);
    EXPECT_EQ(ask_patiently(18082), "pong\n");
    EXPECT_EQ(ask_patiently(ports[2].host_port), "pong\n");
    containers().stop(id, 0);
    EXPECT_EQ(ask(18082), "");
    EXPECT_TRUE(containers().inspect(id).ports.empty());
    containers().start(id);
    EXPECT_EQ(ask_patiently(18082), "pong\n");
}

TEST_F(ContainerNetworks, PublishedDatagramPortsAnswerToo) {
    make_network("front");
    ContainerSpec spec = shell("echo ready; sleep 1000");
    spec.networks = {on("front")};
    spec.ports = {publish(18053, 53, Protocol::udp)};
    std::string id = ready(spec);
    // busybox has no server of datagrams: a thread plays one in the container's network namespace.
    Fd socket;
    std::thread([&] {
        Fd space = containers().network_namespace(id);
        if (::setns(space.get(), CLONE_NEWNET) != 0) return;
        socket.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_port = htons(53);
        (void)::bind(socket.get(), reinterpret_cast<sockaddr*>(&any), sizeof any);
    }).join();
    std::jthread server([&] {
        pollfd poll{socket.get(), POLLIN, 0};
        if (::poll(&poll, 1, 10000) != 1) return;
        char buffer[64];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        (void)::recvfrom(socket.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
        (void)::sendto(socket.get(), "pong\n", 5, 0, reinterpret_cast<sockaddr*>(&from), size);
    });
    EXPECT_EQ(ask(18053, Protocol::udp), "pong\n");
}

TEST_F(ContainerNetworks, ASuccessorTakesThePortsOverAndKeepsThemThroughTheAgentsDeath) {
    make_network("front");
    ContainerSpec spec = server("old", "old");
    spec.ports = {publish(18083, 80)};
    std::string old_id = ready(spec);
    EXPECT_EQ(ask_patiently(18083), "old\n");
    spec = server("new", "new");
    spec.ports = {publish(18083, 80), publish(18084, 80)};  // the new release has one more
    std::string new_id = ready(spec, {.publish_ports = false});
    EXPECT_TRUE(containers().inspect(new_id).ports.empty());
    EXPECT_EQ(ask(18083), "old\n");
    containers().take_over_ports("old", "new");
    EXPECT_EQ(ask_patiently(18083), "new\n");
    EXPECT_EQ(ask_patiently(18084), "new\n");
    EXPECT_TRUE(containers().inspect(old_id).ports.empty());
    EXPECT_EQ(containers().inspect(new_id).ports.size(), 4u) << "both are its own now";
    containers().stop(old_id, 0);
    EXPECT_EQ(ask_patiently(18083), "new\n");
    close_engine();
    open_engine();
    EXPECT_EQ(ask_patiently(18083), "new\n");
    EXPECT_EQ(ask_patiently(18084), "new\n");
    containers().stop(new_id, 0);
    EXPECT_EQ(ask(18083), "");
    EXPECT_EQ(ask(18084), "");
    containers().start(old_id);
    EXPECT_EQ(ask_patiently(18083), "old\n") << "and back again";
}

TEST_F(ContainerNetworks, TakingPortsOverIsRefusedWhereItCantBeRight) {
    make_network("front");
    ContainerSpec spec = server("old", "old");
    spec.ports = {publish(18085, 80)};
    (void)ready(spec);
    spec = server("new", "new");
    spec.ports = {publish(18086, 80)};
    (void)ready(spec);
    EXPECT_EQ(code_of([&] { containers().take_over_ports("old", "old"); }), Code::invalid_argument);
    EXPECT_EQ(code_of([&] { containers().take_over_ports("old", "nosuch"); }), Code::not_found);
    containers().stop("new", 0);
    EXPECT_EQ(code_of([&] { containers().take_over_ports("old", "new"); }), Code::conflict);
    EXPECT_EQ(ask_patiently(18085), "old\n") << "a refusal changes nothing";
}

TEST_F(ContainerNetworks, OtherModesHaveWhatTheyShould) {
    ContainerSpec spec = shell("ls /sys/class/net | tr '\\n' ' '; ip addr show lo | grep -c 127.0.0.1");
    spec.network_mode = "none";
    std::string output;
    EXPECT_EQ(run_to_end(spec, &output), 0);
    EXPECT_EQ(output, "lo 1\n");
    spec.network_mode = "bridge";
    EXPECT_EQ(run_to_end(spec, &output), 0);
    EXPECT_EQ(output, "eth0 lo 1\n") << "Docker's default network is made when it is needed";
    EXPECT_EQ(engine->networks().inspect("bridge").spec.name, "bridge");
}

TEST_F(ContainerNetworks, ANetworkInUseIsNotRemoved) {
    make_network("front");
    std::string id = ready(server("pong"));
    EXPECT_EQ(code_of([&] { engine->networks().remove("front"); }), Code::conflict);
    EXPECT_EQ(engine->networks().inspect("front").containers, std::vector<std::string>{id});
    containers().remove(id, {.force = true});
    EXPECT_NO_THROW(engine->networks().remove("front"));
}

TEST_F(ContainerNetworks, ProbesCanLookFromInside) {
    ContainerSpec spec = shell("echo ready; sleep 1000");
    std::string id = ready(spec);
    Fd space = containers().network_namespace(id);
    struct stat info {};
    ASSERT_EQ(::fstat(space.get(), &info), 0);
    EXPECT_EQ(exec(id, "readlink /proc/self/ns/net").output, "net:[" + std::to_string(info.st_ino) + "]\n");
    containers().stop(id, 0);
    EXPECT_EQ(code_of([&] { (void)containers().network_namespace(id); }), Code::conflict);
}
