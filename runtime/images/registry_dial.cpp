#include "runtime/images/registry_dial.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace kedge::runtime {

namespace {

using Clock = std::chrono::steady_clock;

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

Error unavailable(const std::string& why) {
    return Error(Code::unavailable, why);
}

Error cancelled() {
    return Error(Code::cancelled, "cancelled");
}

std::string reason(int error_number) {
    switch (error_number) {
        case ECONNREFUSED: return "connection refused";
        case EHOSTUNREACH: return "no route to host";
        case ENETUNREACH: return "network is unreachable";
        case ETIMEDOUT: return "no answer in time";
        default:
            return std::strerror(
                error_number);  // NOLINT(concurrency-mt-unsafe): glibc's is thread-safe for known numbers
    }
}

std::optional<Address> literal(const std::string& host, int port) {
    Address address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(static_cast<uint16_t>(port));
        address.length = sizeof(sockaddr_in);
        return address;
    }
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(static_cast<uint16_t>(port));
        address.length = sizeof(sockaddr_in6);
        return address;
    }
    return std::nullopt;
}

/// A lookup on a thread of its own, as getaddrinfo(3) can't be interrupted: a caller that has gone leaves it behind to
/// finish.
struct Lookup {
    std::mutex mutex;
    std::condition_variable_any changed;
    bool done = false;
    int result = 0;
    std::vector<Address> addresses;

    void run(const std::string& host, int port) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        int rc = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
        std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(rc == 0 ? list : nullptr, ::freeaddrinfo);
        std::lock_guard lock(mutex);
        for (addrinfo* entry = owned.get(); entry; entry = entry->ai_next) {
            Address& address = addresses.emplace_back();
            std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
            address.length = entry->ai_addrlen;
        }
        result = rc;
        done = true;
        changed.notify_all();
    }
};

std::vector<Address> look_up(const std::string& host, int port, Clock::time_point deadline, std::stop_token stop) {
    if (auto address = literal(host, port)) return {*address};
    auto lookup = std::make_shared<Lookup>();
    std::thread([lookup, host, port] { lookup->run(host, port); }).detach();
    std::unique_lock lock(lookup->mutex);
    bool done = lookup->changed.wait_until(lock, stop, deadline, [&] { return lookup->done; });
    if (stop.stop_requested()) throw cancelled();
    if (!done) throw unavailable("looking up its name takes too long");
    if (lookup->result == EAI_NONAME) throw unavailable("no such host");
    if (lookup->result != 0)
        throw unavailable(std::string("looking up its name failed: ") + ::gai_strerror(lookup->result));
    return lookup->addresses;
}

/// Wakes poll(2) when the token is stopped.
struct Waker {
    Fd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::stop_callback<std::function<void()>> callback;
    explicit Waker(std::stop_token stop) : callback(std::move(stop), [this] { (void)::eventfd_write(fd.get(), 1); }) {
        if (!fd) throw_errno("eventfd");
    }
};

/// 0 or the errno of the connection.
int connect_before(int fd, const Address& address, Clock::time_point deadline, const Waker& waker,
                   const std::stop_token& stop) {
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    while (true) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd fds[] = {{fd, POLLOUT, 0}, {waker.fd.get(), POLLIN, 0}};
        int ready = ::poll(fds, 2, static_cast<int>(std::max<int64_t>(left, 0)));
        if (stop.stop_requested()) throw cancelled();
        if (ready == 0) return ETIMEDOUT;
        if (ready < 0 && errno != EINTR) return errno;
        if (ready < 0 || fds[0].revents == 0) continue;
        int error = 0;
        socklen_t size = sizeof error;
        return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
    }
}

void make_ready(int fd, std::chrono::seconds idle) {
    int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) throw_errno("fcntl");
    timeval limit{idle.count(), 0};
    int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        throw_errno("setsockopt");
    }
}

}  // namespace

Fd dial(const std::string& host, int port, std::chrono::seconds patience, std::chrono::seconds idle,
        std::stop_token stop) {
    if (stop.stop_requested()) throw cancelled();
    auto deadline = Clock::now() + patience;
    std::vector<Address> addresses = look_up(host, port, deadline, stop);
    Waker waker(stop);
    int error = EADDRNOTAVAIL;
    for (size_t i = 0; i < addresses.size(); ++i) {
        Fd fd(::socket(addresses[i].storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) {
            error = errno;
            continue;
        }
        // An address that swallows packets leaves time for those after it.
        auto share = (deadline - Clock::now()) / static_cast<int64_t>(addresses.size() - i);
        error = connect_before(fd.get(), addresses[i], Clock::now() + share, waker, stop);
        if (error != 0) continue;
        make_ready(fd.get(), idle);
        return fd;
    }
    throw unavailable(reason(error));
}

}  // namespace kedge::runtime
