#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <cstring>

namespace kedge::test {

/// Whether something accepts connections on 127.0.0.1:port.
inline bool accepts(uint16_t port) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

/// Until a server that another program starts accepts connections; there is no event to wait for. False after ten
/// seconds.
inline bool wait_for_port(uint16_t port) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!accepts(port)) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        (void)::poll(nullptr, 0, 10);
    }
    return true;
}

/// A port that is free now.
inline uint16_t free_port() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw_errno("free port");
    }
    return ntohs(address.sin_port);
}

}  // namespace kedge::test
