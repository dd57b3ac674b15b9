#include "api/peer_watch.h"

#include "base/error.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace kedge::api {

namespace {

constexpr uint64_t kWake = UINT64_MAX;

}  // namespace

PeerWatch::PeerWatch() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC)) {
    if (!epoll_ || !wake_) throw_errno("watch connections");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWake;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) throw_errno("watch connections");
}

PeerWatch::~PeerWatch() {
    stop_all();
    if (!thread_.joinable()) return;
    uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    thread_.join();
}

std::stop_token PeerWatch::watch(int socket, bool half_closed) {
    std::lock_guard lock(mutex_);
    auto [entry, added] = watched_.try_emplace(socket);
    std::stop_source& source = entry->second.source;
    if (!added) return source.get_token();
    entry->second.generation = ++generation_;
    if (stopped_) source.request_stop();
    epoll_event event{};
    event.events = half_closed ? EPOLLONESHOT : EPOLLRDHUP | EPOLLONESHOT;  // EPOLLHUP always counts
    event.data.u64 = uint64_t{generation_} << 32 | static_cast<uint32_t>(socket);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0) throw_errno("watch a connection");
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    return source.get_token();
}

void PeerWatch::forget(int socket) {
    std::lock_guard lock(mutex_);
    if (watched_.erase(socket) == 0) return;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);  // it was added, and is still open
}

void PeerWatch::stop_all() {
    std::map<int, Watched> watched;
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        watched = watched_;
    }
    for (auto& [socket, entry] : watched) entry.source.request_stop();
}

void PeerWatch::run() {
    while (true) {
        epoll_event event{};
        int count = ::epoll_wait(epoll_.get(), &event, 1, -1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || event.data.u64 == kWake) return;
        std::stop_source source(std::nostopstate);
        {
            std::lock_guard lock(mutex_);
            auto found = watched_.find(static_cast<int>(event.data.u64 & UINT32_MAX));
            if (found == watched_.end() || found->second.generation != event.data.u64 >> 32) continue;
            source = found->second.source;
        }
        source.request_stop();  // outside the lock: callbacks may take locks of their own
    }
}

}  // namespace kedge::api
