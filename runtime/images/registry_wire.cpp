#include "runtime/images/registry_wire.h"

#include "base/error.h"
#include "runtime/images/registry_dial.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kedge::runtime {

namespace {

constexpr size_t kPiece = 64u << 10;
// The library takes lines (of the head, and before each chunk) byte by byte, without a limit of its own.
constexpr size_t kLineLimit = 128u << 10;

bool wait_for(int fd, short events) {
    pollfd waiting{fd, events, 0};
    int ready;
    do {
        ready = ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds(kIdlePatience).count()));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

}  // namespace

void Line::begin(std::stop_token stop) {
    std::lock_guard lock(mutex_);
    stop_ = std::move(stop);
    failure_ = nullptr;
    head.clear();
}

int Line::open() {
    std::stop_token stop;
    {
        std::lock_guard lock(mutex_);
        socket_.reset();
        stop = stop_;
    }
    try {
        Fd fd = dial(host_, port_, kConnectPatience, kIdlePatience, stop);
        std::lock_guard lock(mutex_);
        socket_ = fd.duplicate();
        ++opened_;
        if (stop.stop_requested()) (void)::shutdown(fd.get(), SHUT_RDWR);
        return fd.release();
    } catch (const Error&) {
        failure_ = std::current_exception();
        return -1;
    }
}

void Line::hang_up() {
    std::lock_guard lock(mutex_);
    if (socket_) (void)::shutdown(socket_.get(), SHUT_RDWR);  // not connected any more is fine
}

void Line::rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
}

Wire::Wire(Line& line, int socket, SSL* ssl) : line_(line), socket_(socket), ssl_(ssl), buffer_(kPiece, '\0') {
    line_.head.clear();
}

bool Wire::is_readable() const {
    return used_ < filled_ || (ssl_ && ::SSL_pending(ssl_) > 0) || wait_for(socket_, POLLIN);
}

bool Wire::is_writable() const {
    return wait_for(socket_, POLLOUT);
}

ssize_t Wire::fill() {
    if (!is_readable()) return -1;
    if (!ssl_) {
        ssize_t n;
        do {
            n = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
        } while (n < 0 && errno == EINTR);
        return n;
    }
    while (true) {
        int n = ::SSL_read(ssl_, buffer_.data(), static_cast<int>(buffer_.size()));
        if (n > 0) return n;
        int error = ::SSL_get_error(ssl_, n);
        if (error == SSL_ERROR_ZERO_RETURN) return 0;
        // A record without data for us, such as a new session ticket.
        if (error != SSL_ERROR_WANT_READ || !wait_for(socket_, POLLIN)) return -1;
    }
}

ssize_t Wire::read(char* data, size_t size) {
    if (used_ == filled_) {
        ssize_t n = fill();
        if (n <= 0) return n;
        used_ = 0;
        filled_ = static_cast<size_t>(n);
    }
    size_t n = std::min(size, filled_ - used_);
    std::memcpy(data, buffer_.data() + used_, n);
    used_ += n;
    if (!head_done_) keep_head({data, n});
    singles_ = size == 1 ? singles_ + 1 : 0;
    if (singles_ > kLineLimit) {
        line_.fail(std::make_exception_ptr(
            Error(Code::invalid_argument, "the head of its answer or of a chunk is too large")));
        return -1;
    }
    return static_cast<ssize_t>(n);
}

/// The library reads a head byte by byte, so what is appended never reaches into the body.
void Wire::keep_head(std::string_view bytes) {
    line_.head += bytes;
    head_done_ = line_.head.ends_with("\r\n\r\n");
}

ssize_t Wire::write(const char* data, size_t size) {
    if (!is_writable()) return -1;
    if (ssl_) return ::SSL_write(ssl_, data, static_cast<int>(std::min<size_t>(size, 1u << 30)));
    ssize_t n;
    do {
        n = ::send(socket_, data, size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

void Wire::get_remote_ip_and_port(std::string&, int&) const {}  // servers only
void Wire::get_local_ip_and_port(std::string&, int&) const {}

}  // namespace kedge::runtime
