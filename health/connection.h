#pragma once

#include "base/fd.h"
#include "base/stop_fd.h"

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

namespace kedge::health {

/// Something took longer than it may.
struct TimedOut {};

/// A TCP connection to 127.0.0.1 of a network namespace. What blocks throws TimedOut at the deadline and Error
/// (cancelled) at the stop, and Error for what the other side or the kernel refuses.
class Connection {
public:
    Connection(int netns, uint16_t port, std::chrono::steady_clock::time_point deadline, const std::stop_token& stop);

    void send(std::string_view data);
    /// What comes next, at most this; 0 at the end.
    size_t receive(char* buffer, size_t size);

private:
    void await(short events);

    std::chrono::steady_clock::time_point deadline_;
    StopFd stopped_;
    Fd socket_;
    std::string address_;  ///< for messages
};

}  // namespace kedge::health
