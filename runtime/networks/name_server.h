#pragma once

#include "runtime/networks/dns_message.h"
#include "runtime/networks/event_loop.h"
#include "runtime/networks/forwarder.h"
#include "runtime/networks/name_table.h"

#include <map>
#include <optional>
#include <string>

namespace kedge::runtime {

/// Answers the questions of containers, over UDP and TCP, on the gateway of each network: names of containers itself,
/// others by asking the host's name servers. One thread for all networks. Thread-safe.
class NameServer {
public:
    NameServer(NameTable& names, std::string resolv_conf);
    ~NameServer();

    struct Ports {
        uint16_t udp = 0;
        uint16_t tcp = 0;
    };
    /// Listens on ports that the kernel chooses, so that a name server of the host's is not in the way; who wants
    /// port 53 to lead there redirects it. Throws Error.
    Ports listen(const std::string& network_id, const Address& gateway);
    void close(const std::string& network_id);

private:
    static constexpr size_t kClients = 512, kClientsOfOne = 16;  ///< TCP connections, and of one asker
    static constexpr size_t kLongestQuery = 4096;
    static constexpr std::chrono::seconds kPatience{10};  ///< with a TCP client that says nothing

    struct Listener {
        Fd udp, tcp;
    };
    struct Client {
        std::string network_id;
        Address address;
        Fd socket;
        std::string in, out;
        std::optional<EventLoop::Timer> timer;
    };
    using Reply = Forwarder::Reply;

    void handle(const std::string& network_id, const Address& asker, std::string_view wire, bool stream,
                const Reply& reply);
    void read_datagrams(const std::string& network_id, int socket);
    void accept_clients(const std::string& network_id, int socket);
    void client_ready(uint64_t id, uint32_t events);
    bool read_client(uint64_t id, Client& client);
    void send_to_client(uint64_t id, const std::string& answer);
    void drop_client(uint64_t id);

    NameTable& names_;
    EventLoop loop_;
    // From here on: the loop's thread only.
    std::unique_ptr<Forwarder> forwarder_;
    std::map<std::string, Listener> listeners_;
    std::map<uint64_t, Client> clients_;
    uint64_t last_client_ = 0;
};

}  // namespace kedge::runtime
