#include "runtime/networks/name_server.h"

#include "base/error.h"
#include "runtime/networks/socket_address.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

namespace kedge::runtime {

namespace {

constexpr size_t kPlainUdp = 512;  // RFC 1035, 4.2.1
constexpr int kBurst = 64;         // datagrams read before others get their turn

Fd bind_socket(const Address& gateway, int type, uint16_t* port) {
    const SocketAddress address(gateway, 0);
    const bool ipv6 = is_ipv6(gateway);
    Fd socket(::socket(address.family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) throw_errno("open socket");
    const int on = 1;
    // The bridge may be missing for the moment.
    if (::setsockopt(socket.get(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_FREEBIND : IP_FREEBIND, &on,
                     sizeof on) != 0)
        throw_errno("IP_FREEBIND");
    if (::bind(socket.get(), address.get(), address.size()) != 0)
        throw_errno("bind name server to " + to_string(gateway));
    if (type == SOCK_STREAM && ::listen(socket.get(), 16) != 0) throw_errno("listen on " + to_string(gateway));
    *port = SocketAddress::of_socket(socket.get()).port();
    return socket;
}

}  // namespace

NameServer::NameServer(NameTable& names, std::string resolv_conf)
    : names_(names), forwarder_(std::make_unique<Forwarder>(loop_, std::move(resolv_conf))) {}

NameServer::~NameServer() {
    loop_.call([this] {
        forwarder_.reset();
        while (!clients_.empty()) drop_client(clients_.begin()->first);
        for (auto& [id, listener] : listeners_) {
            loop_.forget(listener.udp.get());
            loop_.forget(listener.tcp.get());
        }
    });
}

NameServer::Ports NameServer::listen(const std::string& network_id, const Address& gateway) {
    Ports ports;
    Listener listener{bind_socket(gateway, SOCK_DGRAM, &ports.udp), bind_socket(gateway, SOCK_STREAM, &ports.tcp)};
    loop_.call([&] {
        const int udp = listener.udp.get(), tcp = listener.tcp.get();
        listeners_[network_id] = std::move(listener);
        loop_.watch(udp, EPOLLIN, [this, network_id, udp](uint32_t) { read_datagrams(network_id, udp); });
        loop_.watch(tcp, EPOLLIN, [this, network_id, tcp](uint32_t) { accept_clients(network_id, tcp); });
    });
    return ports;
}

void NameServer::close(const std::string& network_id) {
    loop_.call([&] {
        auto found = listeners_.find(network_id);
        if (found == listeners_.end()) return;
        loop_.forget(found->second.udp.get());
        loop_.forget(found->second.tcp.get());
        listeners_.erase(found);
        std::vector<uint64_t> gone;
        for (const auto& [id, client] : clients_) {
            if (client.network_id == network_id) gone.push_back(id);
        }
        for (uint64_t id : gone) drop_client(id);
    });
}

void NameServer::handle(const std::string& network_id, const Address& asker, std::string_view wire, bool stream,
                        const Reply& reply) {
    auto query = DnsQuery::parse(wire);
    if (!query) return;  // malformed: no answer that could be turned against anybody
    if (!query->standard()) return reply(query->answer(DnsQuery::Result::not_implemented));
    const auto found = query->reversed() ? names_.find_address(network_id, asker, *query->reversed())
                                         : names_.find(network_id, asker, query->name());
    using Outcome = NameTable::Found::Outcome;
    if (found.outcome == Outcome::refused) return reply(query->answer(DnsQuery::Result::refused));
    if (found.outcome == Outcome::known) {
        if (query->reversed()) return reply(query->answer_name(found.name));
        // Without what was asked for (AAAA, MX, ...): it exists, and that is all.
        return reply(query->answer(found.addresses, stream ? DnsQuery::kNoLimit : kPlainUdp));
    }
    if (!found.forward) {
        return reply(query->answer(query->reversed() ? DnsQuery::Result::no_such_name : DnsQuery::Result::refused));
    }
    const std::string failure = query->answer(DnsQuery::Result::server_failure);
    forwarder_->ask(std::string(wire), asker, stream, found.servers,
                    [reply, failure](const std::string& answer) { reply(answer.empty() ? failure : answer); });
}

void NameServer::read_datagrams(const std::string& network_id, int socket) {
    char data[kLongestQuery];
    for (int i = 0; i < kBurst; ++i) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        ssize_t n = ::recvfrom(socket, data, sizeof data, MSG_TRUNC, reinterpret_cast<sockaddr*>(&peer), &size);
        if (n < 0) return;  // nothing left, or an ICMP error that an answer of ours caused
        if (static_cast<size_t>(n) > sizeof data) continue;
        handle(network_id, SocketAddress(peer).address(), {data, static_cast<size_t>(n)}, false,
               [this, network_id, peer, size](const std::string& answer) {
                   auto listener = listeners_.find(network_id);  // it may be gone by the time of the answer
                   if (listener == listeners_.end()) return;
                   (void)::sendto(listener->second.udp.get(), answer.data(), answer.size(), MSG_DONTWAIT,
                                  reinterpret_cast<const sockaddr*>(&peer), size);  // lost is lost: it is UDP
               });
    }
}

void NameServer::accept_clients(const std::string& network_id, int socket) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Fd accepted(::accept4(socket, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) return;
    const Address address = SocketAddress(peer).address();
    const auto own = std::count_if(clients_.begin(), clients_.end(),
                                   [&](const auto& client) { return client.second.address == address; });
    if (clients_.size() >= kClients || static_cast<size_t>(own) >= kClientsOfOne) return;  // closes it
    const uint64_t id = ++last_client_;
    loop_.watch(accepted.get(), EPOLLIN, [this, id](uint32_t events) { client_ready(id, events); });
    auto timer = loop_.at(EventLoop::Clock::now() + kPatience, [this, id] {
        clients_.at(id).timer.reset();
        drop_client(id);
    });
    clients_[id] = {network_id, address, std::move(accepted), {}, {}, timer};
}

void NameServer::client_ready(uint64_t id, uint32_t events) {
    Client& client = clients_.at(id);
    if (events & EPOLLOUT) {
        ssize_t n = ::send(client.socket.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return drop_client(id);
        if (n > 0) client.out.erase(0, static_cast<size_t>(n));
        if (client.out.empty()) loop_.change(client.socket.get(), EPOLLIN);
        return;
    }
    if (!read_client(id, client)) drop_client(id);
}

bool NameServer::read_client(uint64_t id, Client& client) {
    char data[2048];
    ssize_t n = ::recv(client.socket.get(), data, sizeof data, 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    client.in.append(data, static_cast<size_t>(n));
    while (client.in.size() >= 2) {
        const size_t size = static_cast<size_t>(static_cast<unsigned char>(client.in[0])) << 8 |
                            static_cast<unsigned char>(client.in[1]);
        if (size > kLongestQuery || client.out.size() > size_t{1} << 18) return false;
        if (client.in.size() < size + 2) return true;
        const std::string query = client.in.substr(2, size);
        client.in.erase(0, size + 2);
        handle(client.network_id, client.address, query, true,
               [this, id](const std::string& answer) { send_to_client(id, answer); });
    }
    return true;
}

void NameServer::send_to_client(uint64_t id, const std::string& answer) {
    auto found = clients_.find(id);
    if (found == clients_.end() || answer.size() > 65535) return;
    found->second.out += {static_cast<char>(answer.size() >> 8), static_cast<char>(answer.size())};
    found->second.out += answer;
    loop_.change(found->second.socket.get(), EPOLLOUT);
}

void NameServer::drop_client(uint64_t id) {
    auto node = clients_.extract(id);
    loop_.forget(node.mapped().socket.get());
    if (node.mapped().timer) loop_.cancel(*node.mapped().timer);
}

}  // namespace kedge::runtime
