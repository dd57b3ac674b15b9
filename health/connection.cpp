#include "health/connection.h"

#include "base/error.h"
#include "base/netns.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace kedge::health {

Connection::Connection(int netns, uint16_t port, std::chrono::steady_clock::time_point deadline,
                       const std::stop_token& stop)
    : deadline_(deadline),
      stopped_(stop),
      socket_(socket_in(netns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
      address_("127.0.0.1:" + std::to_string(port)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
    if (errno != EINPROGRESS) throw_errno("connect to " + address_);
    await(POLLOUT);
    int failure = 0;
    socklen_t size = sizeof failure;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
    if (failure != 0) throw errno_error("connect to " + address_, failure);
}

void Connection::await(short events) {
    while (true) {
        auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
        pollfd fds[2] = {{socket_.get(), events, 0}, {stopped_.get(), POLLIN, 0}};
        int ready = ::poll(fds, 2, static_cast<int>(std::clamp<int64_t>(rest.count(), 0, 1 << 30)));
        if (ready < 0 && errno != EINTR) throw_errno("poll");
        if (ready < 0) continue;
        if (fds[1].revents) throw Error(Code::cancelled, "the probe of " + address_ + " was cancelled");
        if (fds[0].revents) return;
        if (std::chrono::steady_clock::now() >= deadline_) throw TimedOut{};
    }
}

void Connection::send(std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
        if (n >= 0)
            data.remove_prefix(static_cast<size_t>(n));
        else if (errno == EAGAIN)
            await(POLLOUT);
        else if (errno != EINTR)
            throw_errno("send to " + address_);
    }
}

size_t Connection::receive(char* buffer, size_t size) {
    while (true) {
        await(POLLIN);  // also when there is something: one that sends without end has to meet its deadline
        ssize_t n = ::recv(socket_.get(), buffer, size, 0);
        if (n >= 0) return static_cast<size_t>(n);
        if (errno != EAGAIN && errno != EINTR) throw_errno("receive from " + address_);
    }
}

}  // namespace kedge::health
