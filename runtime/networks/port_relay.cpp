#include "runtime/networks/port_relay.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/networks/socket_address.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr int kTurns = 16;     // read from one connection before others get their turn
constexpr int kBacklog = 128;  // of connections that wait to be taken
constexpr std::chrono::minutes kSilence{1};

bool would_block() {
    return errno == EAGAIN || errno == EINTR;
}

/// A peer that is gone without a word is found out.
void keep_alive(int socket) {
    const int on = 1;
    (void)::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Over IPv6 also where the rest is translated: what comes from ::1.
bool is_relayed(const HostPort& port, const Backend& backend) {
    return is_ipv6(port.address) || !is_translated(port, backend);
}

}  // namespace

PortRelay::~PortRelay() {
    if (!loop_) return;
    loop_->call([this] {
        waiting_.clear();
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

PortRelay::Limits PortRelay::limits_of_process() {
    Limits limits;
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return limits;
    limits.connections = std::clamp<size_t>(files.rlim_cur / 8, 4, limits.connections);
    limits.of_port = limits.connections / 4;
    return limits;
}

bool PortRelay::is_needed(const Firewall::Changes& changes) {
    std::lock_guard lock(mutex_);
    return loop_ || std::any_of(changes.begin(), changes.end(), [](const auto& change) {
               return change.second && is_relayed(change.first, *change.second);
           });
}

void PortRelay::lead(const Firewall::Changes& changes) {
    if (!is_needed(changes)) return;
    loop().call([&] {
        for (const auto& [port, backend] : changes) {
            if (!backend) {
                close(port);
                continue;
            }
            if (!is_relayed(port, *backend) && !ports_.contains(port)) continue;
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
    waiting_.erase(port);
    for (auto one = connections_.begin(); one != connections_.end();) {
        const auto next = std::next(one);
        if (one->port == port) drop(one);
        one = next;
    }
    drop_flows(port);
}

void PortRelay::listen(const std::vector<HeldPort>& ports) {
    if (ports.empty() || !is_needed({})) return;
    loop().call([&] {
        for (const HeldPort& held : ports) {
            const HostPort port = held.port();
            auto found = ports_.find(port);
            if (found == ports_.end()) continue;
            Fd socket = held.socket().duplicate();
            const int fd = socket.get();
            if (port.protocol == Protocol::tcp)
                (void)::listen(fd, kBacklog);
            else
                begin_datagrams(fd, is_ipv6(port.address));
            if (found->second.socket) loop_->forget(found->second.socket.get());
            found->second.socket = std::move(socket);
            loop_->watch(fd, waiting_.contains(port) ? uint32_t{0} : uint32_t{EPOLLIN}, [this, port](uint32_t) {
                port.protocol == Protocol::tcp ? accept_client(port) : read_datagrams(port);
            });
        }
    });
}

// --- connections

void PortRelay::accept_client(const HostPort& port) {
    Port& to = ports_.at(port);
    if (to.connections >= limits_.of_port || connections_.size() >= limits_.connections) return let_wait(port);
    Fd client(::accept4(to.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) return rest(port);
    if (!client) return;
    const SocketAddress address(to.backend.address, to.backend.port);
    Fd server(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!server) return;
    if (::connect(server.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS) return;
    keep_alive(client.get());
    keep_alive(server.get());
    auto connection = connections_.insert(connections_.end(), Connection{});
    connection->port = port;
    ++to.connections;
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

/// Until another one ends.
void PortRelay::let_wait(const HostPort& port) {
    Port& known = ports_.at(port);
    loop_->change(known.socket.get(), 0);
    waiting_.insert(port);
    tell(port, known,
         fmt::format("further clients wait: {} connections are relayed for it, {} for all ports", known.connections,
                     connections_.size()));
}

void PortRelay::resume() {
    if (connections_.size() >= limits_.connections) return;
    std::erase_if(waiting_, [this](const HostPort& port) {
        const Port& known = ports_.at(port);
        if (known.connections >= limits_.of_port) return false;
        loop_->change(known.socket.get(), EPOLLIN);
        return true;
    });
}

void PortRelay::tell(const HostPort& port, Port& known, const std::string& what) {
    const auto now = EventLoop::Clock::now();
    if (known.told != EventLoop::Clock::time_point{} && now - known.told < kSilence) return;
    known.told = now;
    const std::string address = is_ipv6(port.address) ? "[" + to_string(port.address) + "]" : to_string(port.address);
    log(LogLevel::warning, fmt::format("published port {}:{}/{}: {}", address, port.port,
                                       port.protocol == Protocol::tcp ? "tcp" : "udp", what));
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
    if (auto port = ports_.find(connection->port); port != ports_.end()) --port->second.connections;
    connections_.erase(connection);
    resume();
}

}  // namespace kedge::runtime
