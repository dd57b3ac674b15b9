#pragma once

#include "runtime/networks/event_loop.h"
#include "runtime/networks/firewall.h"
#include "runtime/networks/host_port.h"

#include <netinet/in.h>

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Passes on what comes to published ports over IPv6 and can't be translated to where it goes: what comes from ::1, and
/// what goes to a container that has IPv4 alone. One thread for all ports, which is there once there is such a port. It
/// lives as long as the agent; a connection through it, too. Thread-safe.
class PortRelay {
public:
    PortRelay() = default;
    ~PortRelay();

    /// Ports that from now on lead there, or no longer anywhere: then their connections end. Others stay with whom
    /// they are. What isn't IPv6 is left out.
    void lead(const Firewall::Changes& changes);
    /// Listens on ports that lead somewhere; they may be closed by their owner.
    void listen(const std::vector<HeldPort>& ports);

private:
    static constexpr size_t kConnections = 1024;
    static constexpr size_t kFlows = 1024;
    static constexpr size_t kBuffer = 65536;          ///< read at once
    static constexpr std::chrono::seconds kIdle{90};  ///< until a flow of datagrams is forgotten

    struct Port {
        Backend backend;
        Fd socket;
    };
    /// One side of a connection.
    struct End {
        Fd socket;
        std::string out;       // what it doesn't take yet
        bool ended = false;    // it says nothing more
        bool shut = false;     // it was told that nothing more comes
        uint32_t watched = 0;  // for which events
    };
    struct Connection {
        HostPort port;
        End client, server;
        bool connecting = true;
    };
    using Connections = std::list<Connection>;
    /// Who sends datagrams, and to which address.
    struct Sender {
        HostPort port;
        Ipv6 peer;
        uint16_t peer_port = 0;
        unsigned interface = 0;  ///< of a link-local address
        Ipv6 own;
        auto operator<=>(const Sender&) const = default;
    };
    struct Flow {
        Fd socket;
        EventLoop::Clock::time_point last;
        EventLoop::Timer timer;
    };

    EventLoop& loop();
    void accept_client(const HostPort& port);
    void watch(Connections::iterator connection, End& end, uint32_t events);
    void ready(Connections::iterator connection);
    bool move(End& from, End& to);
    void rest(const HostPort& port);
    void drop(Connections::iterator connection);
    void read_datagrams(const HostPort& port);
    Flow* flow_of(const Sender& sender, const Backend& backend);
    void read_answers(const Sender& sender);
    void forget_if_idle(const Sender& sender);
    void drop_flow(std::map<Sender, Flow>::iterator flow);
    void drop_flows(const HostPort& port);
    void close(const HostPort& port);

    std::mutex mutex_;
    std::unique_ptr<EventLoop> loop_;
    // From here on: the loop's thread only.
    std::map<HostPort, Port> ports_;
    Connections connections_;
    std::map<Sender, Flow> flows_;
    std::vector<char> buffer_ = std::vector<char>(kBuffer);
};

}  // namespace kedge::runtime
