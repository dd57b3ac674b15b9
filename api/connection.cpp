#include "api/connection.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kedge::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kLastWrites{2};
constexpr std::chrono::seconds kLinger{1};
constexpr milliseconds kHeadPatience{200};
constexpr size_t kBuffer = 16384;

int timeout_until(steady_clock::time_point deadline) {
    if (deadline == steady_clock::time_point::max()) return -1;
    auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
}

}  // namespace

bool Connection::wait_for_input(Time deadline) const {
    while (true) {
        pollfd entries[] = {{socket_, POLLIN, 0}, {end_, POLLIN, 0}};
        int ready = ::poll(entries, 2, timeout_until(deadline));
        if (ready < 0 && errno == EINTR) continue;
        return ready > 0 && !entries[1].revents;
    }
}

bool Connection::wait_for_room(Time deadline) {
    while (true) {
        bool ended = last_write_ != Time::max();
        pollfd entries[] = {{socket_, POLLOUT, 0}, {ended ? -1 : end_, POLLIN, 0}};
        int ready = ::poll(entries, 2, timeout_until(std::min(deadline, last_write_)));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        if (!entries[1].revents) return true;
        last_write_ = steady_clock::now() + kLastWrites;
    }
}

/// Positive: so many bytes came in; 0: the client sends no more; negative: not in time.
ssize_t Connection::fill(Time deadline) {
    if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kBuffer);
    taken_ = filled_ = 0;
    ssize_t n = -1;
    do {
        if (!wait_for_input(deadline)) break;
        n = ::recv(socket_, buffer_.get(), kBuffer, MSG_DONTWAIT);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n > 0) filled_ = static_cast<size_t>(n);
    return n;
}

Connection::Head Connection::read_head(std::string& head) {
    head.clear();
    if (taken_ == filled_ && fill(steady_clock::now() + limits_.idle) <= 0) return Head::none;
    Time deadline = steady_clock::now() + limits_.head;
    size_t skipped = 0;
    while (true) {
        while (taken_ < filled_) {
            char c = buffer_[taken_++];
            if (head.empty() && (c == '\r' || c == '\n')) {  // empty lines before a request (RFC 9112, 2.2)
                if (++skipped > 4) return Head::malformed;
                continue;
            }
            bool lone = (c == '\n') != (!head.empty() && head.back() == '\r');
            if (lone) return Head::malformed;
            head += c;
            if (head.ends_with("\r\n\r\n")) return Head::whole;
            if (head.size() >= limits_.head_size) return Head::too_large;
        }
        ssize_t n = fill(deadline);
        if (n == 0 || (n < 0 && head.empty())) return Head::none;
        if (n < 0) return Head::late;
    }
}

void Connection::begin_body() {
    deadline_ = limits_.body.count() > 0 ? steady_clock::now() + limits_.body : Time::max();
}

void Connection::hurry(milliseconds time) {
    deadline_ = std::min(deadline_, steady_clock::now() + time);
}

void Connection::take_over() {
    deadline_ = Time::max();
    stall_ = milliseconds::max();
}

size_t Connection::read(char* data, size_t size) {
    if (taken_ == filled_) {
        Time stalled = stall_ == milliseconds::max() ? Time::max() : steady_clock::now() + stall_;
        if (fill(std::min(deadline_, stalled)) <= 0) return 0;
    }
    size = std::min(size, filled_ - taken_);
    std::memcpy(data, buffer_.get() + taken_, size);
    taken_ += size;
    return size;
}

bool Connection::send(std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::send(socket_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            data.remove_prefix(static_cast<size_t>(n));
        } else if (n < 0 && errno == EAGAIN) {
            // Of one that was taken over the client decides how long it waits; who is gone is seen by others.
            Time stalled = stall_ == milliseconds::max() ? Time::max() : steady_clock::now() + stall_;
            if (!wait_for_room(stalled)) return false;
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

void Connection::wait_until_read(milliseconds patience) const {
    // The kernel tells how much is unread, but not when that changes.
    const Time deadline = steady_clock::now() + patience;
    milliseconds pause{0};
    for (int unread = 0; ::ioctl(socket_, SIOCOUTQ, &unread) == 0 && unread > 0 && steady_clock::now() < deadline;) {
        pollfd entry = {socket_, 0, 0};  // only that it is gone
        if (::poll(&entry, 1, static_cast<int>(pause.count())) > 0) return;
        pause = std::min(pause + milliseconds(1), milliseconds(10));
    }
}

void Connection::linger() {
    if (::shutdown(socket_, SHUT_WR) != 0) return;  // the client is gone
    taken_ = filled_;
    Time deadline = steady_clock::now() + kLinger;
    for (size_t left = size_t{1} << 20; left > 0;) {
        ssize_t n = fill(deadline);
        if (n <= 0) return;
        left -= std::min(left, static_cast<size_t>(n));
    }
}

/// Clients such as docker-py read the head with a buffer, and what follows without it: output that came along with the
/// head would stay in the buffer and be lost. So the first output waits for who is slow to read.
bool TakenOver::write(std::string_view data) {
    if (!std::exchange(written_, true)) connection_.wait_until_read(kHeadPatience);
    return connection_.send(data);
}

void TakenOver::hang_up() {
    (void)::shutdown(connection_.socket(), SHUT_RDWR);  // fails only when it is closed already
}

void TakenOver::end_reading() {
    (void)::shutdown(connection_.socket(), SHUT_RD);  // fails only when it is closed already
}

}  // namespace kedge::api
