#include "runtime/networks/port_relay.h"

#include "base/error.h"
#include "runtime/networks/socket_address.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr int kTurns = 16;  // read from one connection before others get their turn

bool would_block() {
    return errno == EAGAIN || errno == EINTR;
}

/// A peer that is gone without a word is found out.
void keep_alive(int socket) {
    const int on = 1;
    (void)::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

PortRelay::~PortRelay() {
    if (!loop_) return;
    loop_->call([this] {
        while (!connections_.empty()) drop(connections_.begin());
        while (!flows_.empty()) drop_flow(flows_.begin());
        for (auto& [port, known] : ports_) {
            if (known.socket) loop_->forget(known.socket.get());
        }
    });
}

EventLoop& PortRelay::loop() {
    std::lock_guard lock(mutex_);
    if (!loop_) loop_ = std::make_unique<EventLoop>();
    return *loop_;
}

void PortRelay::lead(const Firewall::Changes& changes) {
    std::vector<std::pair<HostPort, std::optional<Backend>>> own;
    for (const auto& [port, backend] : changes) {
        if (is_ipv6(port.address)) own.emplace_back(port, backend);
    }
    if (own.empty()) return;
    loop().call([&] {
        for (const auto& [port, backend] : own) {
            if (!backend) {
                close(port);
                continue;
            }
            Port& known = ports_[port];
            if (known.backend == *backend) continue;
            known.backend = *backend;
            drop_flows(port);  // datagrams know no connection that could stay where it is
        }
    });
}

void PortRelay::close(const HostPort& port) {
    auto found = ports_.find(port);
    if (found == ports_.end()) return;
    if (found->second.socket) loop_->forget(found->second.socket.get());
    ports_.erase(found);
    for (auto one = connections_.begin(); one != connections_.end();) {
        const auto next = std::next(one);
        if (one->port == port) drop(one);
        one = next;
    }
    drop_flows(port);
}

void PortRelay::listen(const std::vector<HeldPort>& ports) {
    std::vector<std::pair<HostPort, Fd>> own;
    for (const HeldPort& port : ports) {
        if (is_ipv6(port.port().address)) own.emplace_back(port.port(), port.socket().duplicate());
    }
    if (own.empty()) return;
    loop().call([&] {
        for (auto& [port, socket] : own) {
            auto found = ports_.find(port);
            if (found == ports_.end() || !socket) continue;
            if (found->second.socket) loop_->forget(found->second.socket.get());
            found->second.socket = std::move(socket);
            const int fd = found->second.socket.get(), on = 1;
            if (port.protocol == Protocol::udp) (void)::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
            loop_->watch(fd, EPOLLIN, [this, port = port](uint32_t) {
                port.protocol == Protocol::tcp ? accept_client(port) : read_datagrams(port);
            });
        }
    });
}

// --- connections

void PortRelay::accept_client(const HostPort& port) {
    const Port& to = ports_.at(port);
    Fd client(::accept4(to.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) return rest(port);
    if (!client || connections_.size() >= kConnections) return;  // closes it
    const SocketAddress address(to.backend.address, to.backend.port);
    Fd server(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!server) return;
    if (::connect(server.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS) return;
    keep_alive(client.get());
    keep_alive(server.get());
    auto connection = connections_.insert(connections_.end(), Connection{});
    connection->port = port;
    connection->client.socket = std::move(client);
    connection->server.socket = std::move(server);
    try {
        watch(connection, connection->server, EPOLLOUT);
    } catch (const Error&) {
        drop(connection);
        throw;
    }
}

/// Who can't be taken now goes on waiting, and would wake this thread without end.
void PortRelay::rest(const HostPort& port) {
    loop_->change(ports_.at(port).socket.get(), 0);
    (void)loop_->at(EventLoop::Clock::now() + std::chrono::seconds(1), [this, port] {
        auto found = ports_.find(port);
        if (found != ports_.end() && found->second.socket) loop_->change(found->second.socket.get(), EPOLLIN);
    });
}

void PortRelay::watch(Connections::iterator connection, End& end, uint32_t events) {
    if (events == end.watched) return;
    // Of one that is watched for nothing the kernel would still tell its end, again and again.
    if (events == 0)
        loop_->forget(end.socket.get());
    else if (end.watched == 0)
        loop_->watch(end.socket.get(), events, [this, connection](uint32_t) { ready(connection); });
    else
        loop_->change(end.socket.get(), events);
    end.watched = events;
}

/// What there is of `from` goes to `to`, as far as that takes it; false when either is broken.
bool PortRelay::move(End& from, End& to) {
    for (int turn = 0; turn < kTurns || from.ended; ++turn) {
        if (!to.out.empty()) {
            const ssize_t n = ::send(to.socket.get(), to.out.data(), to.out.size(), MSG_NOSIGNAL);
            if (n < 0) return would_block();
            to.out.erase(0, static_cast<size_t>(n));
            if (!to.out.empty()) return true;
        }
        if (from.ended) {
            if (!to.shut) (void)::shutdown(to.socket.get(), SHUT_WR);
            to.shut = true;
            return true;
        }
        const ssize_t n = ::recv(from.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (n < 0) return would_block();
        from.ended = n == 0;
        const ssize_t sent = n == 0 ? 0 : ::send(to.socket.get(), buffer_.data(), static_cast<size_t>(n), MSG_NOSIGNAL);
        if (sent < 0 && !would_block()) return false;
        const size_t taken = sent > 0 ? static_cast<size_t>(sent) : 0;
        to.out.assign(buffer_.data() + taken, static_cast<size_t>(n) - taken);
    }
    return true;
}

void PortRelay::ready(Connections::iterator connection) {
    End &client = connection->client, &server = connection->server;
    if (connection->connecting) {
        int failure = 0;
        socklen_t size = sizeof failure;
        (void)::getsockopt(server.socket.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
        if (failure != 0) return drop(connection);
        connection->connecting = false;
    }
    if (!move(client, server) || !move(server, client)) return drop(connection);
    if (client.shut && server.shut) return drop(connection);
    auto wanted = [](const End& end, const End& other) {
        return (!end.ended && other.out.empty() ? uint32_t{EPOLLIN} : 0u) | (end.out.empty() ? 0u : uint32_t{EPOLLOUT});
    };
    watch(connection, client, wanted(client, server));
    watch(connection, server, wanted(server, client));
}

void PortRelay::drop(Connections::iterator connection) {
    for (End* end : {&connection->client, &connection->server}) {
        if (end->watched != 0) loop_->forget(end->socket.get());
    }
    connections_.erase(connection);
}

}  // namespace kedge::runtime
