#pragma once

#include "base/database.h"
#include "base/fd.h"
#include "runtime/networks/bridge_networks.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace kedge::runtime {

/// A new, empty network namespace.
Fd new_namespace();

/// Runs `work` on a thread inside `netns` and waits.
void inside(int netns, const std::function<void()>& work);

/// Answers every TCP connection and UDP datagram on one port with its own name and the address that it was asked from:
/// `web 172.29.0.3`. A connection stays open until the client closes it.
class Service {
public:
    /// `any`: 0.0.0.0 or ::, which here has nothing of IPv4.
    Service(int netns, Protocol protocol, uint16_t port, std::string name, const std::string& any = "0.0.0.0");
    ~Service();

private:
    void serve_tcp();
    void serve_udp();

    Protocol protocol_;
    std::string name_;
    Fd socket_;
    Fd stop_;
    std::thread thread_;
};

/// What the service there says; `refused`, `timeout` or another errno's words if nothing does.
std::string ask(int netns, const std::string& address, uint16_t port, Protocol protocol = Protocol::tcp,
                int timeout_ms = 1000);

/// Sends datagrams from one and the same port.
class Flow {
public:
    Flow(int netns, const std::string& address, uint16_t port);
    std::string ask();

private:
    Fd socket_;
};

/// Answers each line `x` of a connection with `name x`, one connection after the other.
class Echo {
public:
    Echo(int netns, uint16_t port, std::string name);
    ~Echo();

private:
    Fd socket_, stop_;
    std::thread thread_;
};

/// A connection that stays open.
class Connection {
public:
    Connection(int netns, const std::string& address, uint16_t port);
    std::string say(const std::string& line);

private:
    Fd socket_;
};

/// Runs nft commands in the current namespace; what they print.
std::string nft(const std::string& commands);
inline std::string nft_list() {
    return nft("list ruleset");
}

/// One simulated host per test: an own network namespace for the test's process, a database, and an `outside` machine
/// at 192.0.2.2 and 2001:db8::2 on a link where the host is 192.0.2.1 and 2001:db8::1. Containers are network
/// namespaces.
struct World : testing::Test {
    void SetUp() override;
    void TearDown() override;

    /// Begins again over the same database, as an agent that was killed does.
    void restart();

    /// A container named `name` on the networks, with what it is attached to.
    struct Box {
        BridgeNetworks::Attachment attachment;
        BridgeNetworks::Attached attached;
        Fd netns;
        std::string ip(size_t network = 0) const { return attached.endpoints.at(network).ip; }
        std::string ip6(size_t network = 0) const { return attached.endpoints.at(network).ip6; }
        const std::string& id() const { return attachment.container_id; }
    };
    Box start(const std::string& name, std::vector<NetworkAttachment> networks, std::vector<PortBinding> ports = {},
              bool publish = true);
    /// The first half of that: nothing is connected yet.
    Box reserve(const std::string& name, std::vector<NetworkAttachment> networks, std::vector<PortBinding> ports = {},
                bool publish = true);
    std::string network(const std::string& name, bool internal = false, const std::string& subnet = {});
    /// One with IPv6.
    std::string network6(const std::string& name, const std::string& subnet6 = {}, bool internal = false);

    /// The host's list of name servers.
    void resolv_conf(const std::string& text);

    /// Covers what tells that there is IPv6, for this thread.
    static void hide_ipv6();

    /// What the Error that it ends with says, or `accepted`.
    static std::string refusal(const std::function<void()>& work);

    std::string instance;
    std::string folder;
    std::unique_ptr<Database> database;
    std::unique_ptr<BridgeNetworks> networks;
    Fd host;  ///< the host's network namespace
    Fd outside;
};

}  // namespace kedge::runtime
