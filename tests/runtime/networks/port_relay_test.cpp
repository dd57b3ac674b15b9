#include "runtime/networks/port_relay.h"

#include "base/netns.h"
#include "runtime/networks/socket_address.h"
#include "world.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

using namespace kedge;
using namespace kedge::runtime;

namespace {

/// What would be waited for without end fails a test.
void give_up_in_time(const Fd& socket) {
    const timeval patience{10, 0};
    EXPECT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
}

/// A relay of its own, to a server on the host's loopback.
struct Relay : World {
    const Backend backend{Ipv4::parse("127.0.0.1"), 80};
    std::vector<HeldPort> held;

    HostPort publish(PortRelay& relay, Protocol protocol, uint16_t number) {
        const HostPort port{protocol, Ipv6::parse("::1"), number};
        relay.lead({{port, backend}});
        std::vector<HeldPort> fresh;
        fresh.emplace_back(port);
        fresh.back().listen();
        relay.listen(fresh);
        held.push_back(std::move(fresh.back()));
        return port;
    }
    Fd dial(Protocol protocol, uint16_t number) {
        Fd socket = socket_in(host.get(), AF_INET6, protocol == Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
        const SocketAddress address(Ipv6::parse("::1"), number);
        EXPECT_EQ(::connect(socket.get(), address.get(), address.size()), 0);
        give_up_in_time(socket);
        return socket;
    }
};

/// Takes connections one at a time.
struct Listener {
    Fd socket;
    explicit Listener(int netns) : socket(socket_in(netns, AF_INET, SOCK_STREAM, 0)) {
        const SocketAddress any(Ipv4{}, 80);
        EXPECT_EQ(::bind(socket.get(), any.get(), any.size()), 0);
        EXPECT_EQ(::listen(socket.get(), 16), 0);
        give_up_in_time(socket);
    }
    bool has_next() const {
        pollfd polled{socket.get(), POLLIN, 0};
        return ::poll(&polled, 1, 0) > 0;
    }
    /// The next one that was passed on, and its first word; nothing if none comes.
    std::pair<Fd, std::string> next() {
        Fd taken(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!taken) return {};
        give_up_in_time(taken);
        char word[64];
        const ssize_t n = ::recv(taken.get(), word, sizeof word, 0);
        return {std::move(taken), std::string(word, n > 0 ? static_cast<size_t>(n) : 0)};
    }
};

void say(const Fd& socket, const std::string& word) {
    ASSERT_EQ(::send(socket.get(), word.data(), word.size(), MSG_NOSIGNAL), static_cast<ssize_t>(word.size()));
}

size_t count(const std::string& text, const std::string& part) {
    size_t found = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
    return found;
}

}  // namespace

TEST_F(Relay, WhoComesToAFullPortWaitsUntilAnotherLeavesAndOtherPortsGoOn) {
    testing::internal::CaptureStderr();
    {
        Listener server(host.get());
        PortRelay relay({.connections = 3, .of_port = 2});
        publish(relay, Protocol::tcp, 8080);
        publish(relay, Protocol::tcp, 8081);
        auto arrive = [&](uint16_t port, const std::string& word) {
            Fd client = dial(Protocol::tcp, port);
            say(client, word);
            return client;
        };
        Fd one = arrive(8080, "one");
        auto first = server.next();
        Fd two = arrive(8080, "two");
        auto second = server.next();
        EXPECT_EQ(first.second + " " + second.second, "one two");
        Fd three = arrive(8080, "three");
        Fd four = arrive(8081, "four");
        auto third = server.next();
        EXPECT_EQ(third.second, "four") << "the third of one port was passed on";
        one.reset(), first.first.reset();
        auto fourth = server.next();
        EXPECT_EQ(fourth.second, "three");
        ASSERT_TRUE(fourth.first);
        say(fourth.first, "answer");
        char answer[64];
        EXPECT_EQ(::recv(three.get(), answer, sizeof answer, 0), 6) << "who waited is served as the others";
        Fd five = arrive(8081, "five");
        Fd six = arrive(8080, "six");
        relay.lead({});  // once it comes to this, it came to those
        EXPECT_FALSE(server.has_next()) << "more than all ports may have were passed on";
        four.reset(), third.first.reset();
        EXPECT_EQ(server.next().second, "five") << "the other port is full";
    }
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_EQ(count(told, "published port [::1]:8080/tcp: further clients wait"), 1u) << told;
    EXPECT_NE(told.find("further clients wait: 2 connections are relayed for it, 2 for all ports"), std::string::npos)
        << told;
}

TEST_F(Relay, DatagramsOfTooManySendersAreLostAndOtherPortsGoOn) {
    testing::internal::CaptureStderr();
    {
        Service service(host.get(), Protocol::udp, 80, "web");
        PortRelay relay({.connections = 3, .of_port = 2});
        publish(relay, Protocol::udp, 8080);
        publish(relay, Protocol::udp, 8081);
        auto answered = [](const Fd& client) {
            char answer[64];
            say(client, "?");
            return ::recv(client.get(), answer, sizeof answer, 0) > 0;
        };
        Fd one = dial(Protocol::udp, 8080), two = dial(Protocol::udp, 8080), three = dial(Protocol::udp, 8080),
           four = dial(Protocol::udp, 8081);
        EXPECT_TRUE(answered(one));
        EXPECT_TRUE(answered(two));
        say(three, "?");
        say(three, "?");
        EXPECT_TRUE(answered(four));
        char answer[64];
        EXPECT_EQ(::recv(three.get(), answer, sizeof answer, MSG_DONTWAIT), -1) << "it was passed on before the other";
        Fd five = dial(Protocol::udp, 8081);
        say(five, "?");
        EXPECT_TRUE(answered(one)) << "who was there before goes on";
        EXPECT_EQ(::recv(five.get(), answer, sizeof answer, MSG_DONTWAIT), -1) << "more than all ports may have";
        relay.lead({{{Protocol::udp, Ipv6::parse("::1"), 8080}, std::nullopt}});
        publish(relay, Protocol::udp, 8082);
        EXPECT_TRUE(answered(dial(Protocol::udp, 8082))) << "a port that goes leaves room";
    }
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_EQ(count(told, "published port [::1]:8080/udp: datagrams of further senders are lost"), 1u) << told;
}

TEST_F(Relay, FewOpenFilesMeanFewConnections) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    auto limits = [&](rlim_t files) {
        const rlimit few{files, before.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        const PortRelay::Limits made = PortRelay::limits_of_process();
        return std::pair(made.connections, made.of_port);
    };
    EXPECT_EQ(limits(128), (std::pair<size_t, size_t>(16, 4)));
    EXPECT_EQ(limits(16384), (std::pair<size_t, size_t>(1024, 256)));
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}
