#include "api/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kedge::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Connection::Connection(int socket, const ClientLimits& limits) : socket_(socket), limits_(limits) {}

bool Connection::wait(short events, Time deadline) const {
    pollfd entry{socket_, events, 0};
    while (true) {
        int timeout = -1;
        if (deadline != Time::max()) {
            auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
            timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
        }
        int ready = ::poll(&entry, 1, timeout);
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

ssize_t Connection::fill(Time deadline) {
    buffer_.resize(16384);
    taken_ = 0;
    ssize_t n = -1;
    do {
        if (!wait(POLLIN, deadline)) break;
        n = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    buffer_.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return n;
}

bool Connection::await_request() {
    in_head_ = true;
    head_left_ = limits_.head_size;
    if (taken_ == buffer_.size() && fill(steady_clock::now() + limits_.idle) <= 0) return false;
    deadline_ = steady_clock::now() + limits_.head;
    return true;
}

void Connection::begin_body() {
    in_head_ = false;
    deadline_ = limits_.body.count() > 0 ? steady_clock::now() + limits_.body : Time::max();
}

void Connection::take_over() {
    taken_over_ = true;
    in_head_ = false;
}

ssize_t Connection::read(char* data, size_t size) {
    if (taken_over_) return 0;
    if (in_head_) {
        if (head_left_ == 0) return -1;
        size = std::min(size, head_left_);
    }
    if (taken_ == buffer_.size()) {
        Time stalled = steady_clock::now() + limits_.stall;
        if (ssize_t n = fill(std::min(deadline_, stalled)); n <= 0) return n;
    }
    size = std::min(size, buffer_.size() - taken_);
    std::memcpy(data, buffer_.data() + taken_, size);
    taken_ += size;
    if (in_head_) head_left_ -= size;
    return static_cast<ssize_t>(size);
}

size_t Connection::receive(char* data, size_t size) {
    if (taken_ == buffer_.size() && fill(Time::max()) <= 0) return 0;
    size = std::min(size, buffer_.size() - taken_);
    std::memcpy(data, buffer_.data() + taken_, size);
    taken_ += size;
    return size;
}

bool Connection::send(std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::send(socket_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            data.remove_prefix(static_cast<size_t>(n));
        } else if (n < 0 && errno == EAGAIN) {
            if (!wait(POLLOUT, steady_clock::now() + limits_.stall)) return false;
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

ssize_t Connection::write(const char* data, size_t size) {
    if (taken_over_) return static_cast<ssize_t>(size);
    return send({data, size}) ? static_cast<ssize_t>(size) : -1;
}

bool Connection::is_readable() const {
    return taken_ < buffer_.size() || wait(POLLIN, std::min(deadline_, steady_clock::now() + limits_.stall));
}

bool Connection::is_writable() const {
    pollfd entry{socket_, POLLOUT, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLERR | POLLHUP)) == 0;
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
    ip.clear();
    port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
    ip.clear();
    port = 0;
}

void TakenOver::end_reading() {
    (void)::shutdown(connection_.socket(), SHUT_RD);  // fails only when it is closed already
}

}  // namespace kedge::api
