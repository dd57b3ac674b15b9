#pragma once

#include "runtime/networks/event_loop.h"
#include "runtime/networks/firewall.h"
#include "runtime/networks/host_port.h"

#include <netinet/in.h>

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Passes on what comes to published ports and can't be translated to where it goes: what comes from ::1, and what goes
/// to a container that has the other family alone. One thread for all ports, which is there once there is such a port.
/// It lives as long as the agent; a connection through it, too. Thread-safe.
class PortRelay {
public:
    /// How much of the process's file descriptors may go into it: a connection takes two, a sender of datagrams one.
    /// Who comes to a port that has as many as it may have waits until one ends; datagrams of further senders are lost.
    struct Limits {
        size_t connections = 1024;  ///< of all ports, and as many senders
        size_t of_port = 256;       ///< of each, likewise
    };
    /// Less where the process may open few files.
    static Limits limits_of_process();

    explicit PortRelay(Limits limits = limits_of_process()) : limits_(limits) {}
    ~PortRelay();

    /// Ports that from now on lead there, or no longer anywhere: then their connections end. Others stay with whom
    /// they are. What the kernel can translate over IPv4 is left out.
    void lead(const Firewall::Changes& changes);
    /// Listens on ports that lead somewhere; they may be closed by their owner.
    void listen(const std::vector<HeldPort>& ports);

private:
    static constexpr size_t kBuffer = 65536;          ///< read at once
    static constexpr std::chrono::seconds kIdle{90};  ///< until a flow of datagrams is forgotten

    struct Port {
        Backend backend;
        Fd socket;
        size_t connections = 0, flows = 0;
        EventLoop::Clock::time_point told{};  // that it has too many
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
        Address peer;
        uint16_t peer_port = 0;
        unsigned interface = 0;  ///< of a link-local address
        Address own;
        auto operator<=>(const Sender&) const = default;
    };
    struct Flow {
        Fd socket;
        EventLoop::Clock::time_point last;
        EventLoop::Timer timer;
    };

    EventLoop& loop();
    bool is_needed(const Firewall::Changes& changes);
    void accept_client(const HostPort& port);
    void let_wait(const HostPort& port);
    void resume();
    void tell(const HostPort& port, Port& known, const std::string& what);
    void watch(Connections::iterator connection, End& end, uint32_t events);
    void ready(Connections::iterator connection);
    bool move(End& from, End& to);
    void rest(const HostPort& port);
    void drop(Connections::iterator connection);
    static void begin_datagrams(int socket, bool ipv6);
    void read_datagrams(const HostPort& port);
    Flow* flow_of(const Sender& sender, Port& port);
    void read_answers(const Sender& sender);
    void forget_if_idle(const Sender& sender);
    void drop_flow(std::map<Sender, Flow>::iterator flow);
    void end_flow(std::map<Sender, Flow>::iterator flow);  // its timer is done
    void drop_flows(const HostPort& port);
    void close(const HostPort& port);

    const Limits limits_;
    std::mutex mutex_;
    std::unique_ptr<EventLoop> loop_;
    // From here on: the loop's thread only.
    std::map<HostPort, Port> ports_;
    Connections connections_;
    std::map<Sender, Flow> flows_;
    std::set<HostPort> waiting_;  // whose clients aren't taken for now
    std::vector<char> buffer_ = std::vector<char>(kBuffer);
};

}  // namespace kedge::runtime
