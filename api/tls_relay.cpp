#include "api/tls_relay.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>

namespace kedge::api {

namespace {

constexpr std::chrono::seconds kHandshake{10};
constexpr size_t kChunk = 16384;  // a TLS record

/// One direction: what has been read and is not written yet.
struct Half {
    std::array<char, kChunk> buffer;
    size_t begin = 0, end = 0;
    bool ended = false;   ///< nothing more is read
    bool passed = false;  ///< and the other side knows it

    bool empty() const { return begin == end; }
    std::string_view waiting() const { return {buffer.data() + begin, end - begin}; }
};

enum class Step { done, wait_in, wait_out, broken };

Step step_of(const SSL* ssl, int result) {
    switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_NONE: return Step::done;
        case SSL_ERROR_WANT_READ: return Step::wait_in;
        case SSL_ERROR_WANT_WRITE: return Step::wait_out;
        default: return Step::broken;
    }
}

/// From the client. False when the connection broke.
bool read_client(SSL* ssl, Half& half, bool& wants_out) {
    if (half.ended || !half.empty()) return true;
    ERR_clear_error();
    int n = SSL_read(ssl, half.buffer.data(), static_cast<int>(half.buffer.size()));
    if (n > 0) {
        half.begin = 0;
        half.end = static_cast<size_t>(n);
        return true;
    }
    if (SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN) {
        half.ended = true;
        return true;
    }
    Step step = step_of(ssl, n);
    wants_out = wants_out || step == Step::wait_out;
    return step != Step::broken;
}

bool write_client(SSL* ssl, Half& half, bool& wants_out) {
    while (!half.empty()) {
        ERR_clear_error();
        int n = SSL_write(ssl, half.waiting().data(), static_cast<int>(half.waiting().size()));
        if (n <= 0) {
            Step step = step_of(ssl, n);
            wants_out = wants_out || step == Step::wait_out;
            return step != Step::broken;
        }
        half.begin += static_cast<size_t>(n);
    }
    if (half.ended && !half.passed) {
        (void)SSL_shutdown(ssl);  // says that no more comes; one that is not sent is the same as a cut
        half.passed = true;
    }
    return true;
}

bool read_plain(int plain, Half& half) {
    if (half.ended || !half.empty()) return true;
    ssize_t n = ::recv(plain, half.buffer.data(), half.buffer.size(), MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    half.begin = 0;
    half.end = static_cast<size_t>(n);
    half.ended = n == 0;
    return true;
}

bool write_plain(int plain, Half& half) {
    while (!half.empty()) {
        ssize_t n = ::send(plain, half.waiting().data(), half.waiting().size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        half.begin += static_cast<size_t>(n);
    }
    if (half.ended && !half.passed) {
        (void)::shutdown(plain, SHUT_WR);  // fails only when the other side is gone
        half.passed = true;
    }
    return true;
}

}  // namespace

bool shake_hands(SSL* ssl, int socket, int end) {
    auto deadline = std::chrono::steady_clock::now() + kHandshake;
    while (true) {
        ERR_clear_error();
        int result = SSL_accept(ssl);
        if (result == 1) return true;
        Step step = step_of(ssl, result);
        if (step == Step::broken) return false;
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        short events = step == Step::wait_out ? POLLOUT : POLLIN;
        pollfd entries[] = {{socket, events, 0}, {end, POLLIN, 0}};
        if (::poll(entries, 2, static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
        if (entries[1].revents) return false;
    }
}

std::string common_name(const SSL* ssl) {
    X509* certificate = SSL_get1_peer_certificate(ssl);
    if (!certificate) return {};
    char name[256] = {};
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
}

void relay(SSL* ssl, int socket, int plain, int end) {
    Half in, out;  // seen from the server
    while (!(in.passed && out.passed)) {
        bool wants_out = false;
        if (!read_client(ssl, in, wants_out) || !write_plain(plain, in)) return;
        if (!read_plain(plain, out) || !write_client(ssl, out, wants_out)) return;
        // What was just handed on makes room for what is there already, which no poll would tell of.
        if (in.empty() && !in.ended && SSL_pending(ssl) > 0) continue;
        bool read_net = (in.empty() && !in.ended) || (!out.empty() && !wants_out);
        auto events = [](bool read, bool write) {
            return static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
        };
        pollfd entries[] = {{socket, events(read_net, wants_out), 0},
                            {plain, events(out.empty() && !out.ended, !in.empty()), 0},
                            {end, POLLIN, 0}};
        if (entries[0].events == 0) entries[0].fd = -1;
        if (entries[1].events == 0) entries[1].fd = -1;
        if (::poll(entries, 3, -1) < 0 && errno != EINTR) return;
        if (entries[2].revents) return;
    }
}

}  // namespace kedge::api
