#include "api/feed_hub.h"

#include "base/error.h"
#include "base/log.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace kedge::api {

namespace {

constexpr uint64_t kWake = 0;
constexpr size_t kKept = 4096;  ///< of a buffer that is empty

struct Stream {
    Fd socket;
    bool chunked = false;
    std::unique_ptr<Feed> feed;
    std::string out = {};  ///< what the socket did not take yet
    bool ended = false;
    bool blocked = false;  ///< epoll waits for room in the socket
};

}  // namespace

struct FeedHub::State {
    State() : epoll(::epoll_create1(EPOLL_CLOEXEC)), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!epoll || !wake) throw_errno("feeds");
        control(EPOLL_CTL_ADD, wake.get(), EPOLLIN, kWake);
    }

    void control(int operation, int fd, uint32_t events, uint64_t key) const;
    void signal(uint64_t key);
    void run();
    void take_in();
    void serve(uint64_t key);
    bool flush(uint64_t key, Stream& stream) const;
    void end(uint64_t key);
    int wait() const;

    const Fd epoll, wake;

    std::mutex mutex;
    uint64_t next_key = kWake + 1;
    std::map<uint64_t, Stream> added;
    std::set<uint64_t> signalled;  ///< who says it a thousand times before the thread comes by is asked once
    bool ending = false;
    std::thread thread;

    // The thread's own.
    std::map<uint64_t, Stream> streams;
    std::set<uint64_t> ready;  ///< may have something to say
};

void FeedHub::State::control(int operation, int fd, uint32_t events, uint64_t key) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    if (::epoll_ctl(epoll.get(), operation, fd, &event) != 0) throw_errno("feeds");
}

/// Called by feeds, whatever locks they hold: nothing here waits for the hub's thread.
void FeedHub::State::signal(uint64_t key) {
    std::lock_guard lock(mutex);
    if (!signalled.insert(key).second) return;
    uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);  // fails only when it is readable anyway
}

void FeedHub::State::take_in() {
    uint64_t count = 0;
    (void)!::read(wake.get(), &count, sizeof count);  // none: there may be something all the same
    std::map<uint64_t, Stream> incoming;
    {
        std::lock_guard lock(mutex);
        incoming.swap(added);
        ready.merge(signalled);
        signalled.clear();
    }
    for (auto& [key, stream] : incoming) {
        control(EPOLL_CTL_ADD, stream.socket.get(), EPOLLRDHUP, key);
        streams.emplace(key, std::move(stream));
        ready.insert(key);
    }
}

/// Sends what is there. False: the client is gone.
bool FeedHub::State::flush(uint64_t key, Stream& stream) const {
    size_t sent = 0;
    bool full = false;
    while (sent < stream.out.size() && !full) {
        ssize_t n = ::send(stream.socket.get(), stream.out.data() + sent, stream.out.size() - sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent += static_cast<size_t>(n);
        full = n < 0 && errno == EAGAIN;
        if (n == 0 || (n < 0 && !full && errno != EINTR)) return false;
    }
    stream.out.erase(0, sent);
    if (stream.out.empty() && stream.out.capacity() > kKept) stream.out.shrink_to_fit();
    if (full != stream.blocked)
        control(EPOLL_CTL_MOD, stream.socket.get(), full ? EPOLLRDHUP | EPOLLOUT : EPOLLRDHUP, key);
    stream.blocked = full;
    return true;
}

void FeedHub::State::serve(uint64_t key) {
    auto found = streams.find(key);
    if (found == streams.end()) return;
    Stream& stream = found->second;
    if (!stream.out.empty()) return;  // once the client has taken that
    std::string text;
    Feed::State state = stream.feed->fill(text);
    if (!text.empty()) stream.out = stream.chunked ? fmt::format("{:x}\r\n{}\r\n", text.size(), text) : std::move(text);
    if (state == Feed::State::ended) {
        stream.ended = true;
        if (stream.chunked) stream.out += "0\r\n\r\n";
    }
    if (!flush(key, stream) || (stream.ended && stream.out.empty())) return end(key);
    if (state == Feed::State::more && !stream.blocked) ready.insert(key);
}

void FeedHub::State::end(uint64_t key) {
    auto found = streams.find(key);
    if (found == streams.end()) return;
    (void)::shutdown(found->second.socket.get(), SHUT_WR);  // fails where the client is gone
    streams.erase(found);
}

/// Milliseconds until something is to be done.
int FeedHub::State::wait() const {
    if (!ready.empty()) return 0;
    Feed::Time first = Feed::Time::max();
    for (const auto& [key, stream] : streams) {
        if (stream.out.empty()) first = std::min(first, stream.feed->deadline());
    }
    if (first == Feed::Time::max()) return -1;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(first - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
}

void FeedHub::State::run() {
    (void)::pthread_setname_np(::pthread_self(), "feeds");
    while (true) {
        epoll_event events[32];
        int count = ::epoll_wait(epoll.get(), events, 32, wait());
        {
            std::lock_guard lock(mutex);
            if (ending) break;
        }
        take_in();
        for (int i = 0; i < count; ++i) {
            uint64_t key = events[i].data.u64;
            auto found = streams.find(key);
            if (found == streams.end()) continue;
            bool there = (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0;
            if (!there || !flush(key, found->second) || (found->second.ended && found->second.out.empty()))
                end(key);
            else
                ready.insert(key);
        }
        auto now = std::chrono::steady_clock::now();
        for (const auto& [key, stream] : streams) {
            if (stream.out.empty() && stream.feed->deadline() <= now) ready.insert(key);
        }
        std::set<uint64_t> turn;
        turn.swap(ready);
        for (uint64_t key : turn) {
            try {
                serve(key);
            } catch (const std::exception& error) {
                log(LogLevel::warning, std::string("an answer was broken off: ") + error.what());
                streams.erase(key);
            }
        }
    }
    // Whole answers, as far as clients take them.
    for (auto& [key, stream] : streams) {
        if (stream.chunked && !stream.ended) stream.out += "0\r\n\r\n";
        (void)flush(key, stream);  // whoever takes nothing now loses the end
    }
    streams.clear();
}

FeedHub::FeedHub() : state_(std::make_shared<State>()) {}

FeedHub::~FeedHub() {
    {
        std::lock_guard lock(state_->mutex);
        state_->ending = true;
    }
    uint64_t one = 1;
    (void)!::write(state_->wake.get(), &one, sizeof one);  // an eventfd takes it
    if (state_->thread.joinable()) state_->thread.join();
    state_->added.clear();
}

void FeedHub::add(Fd socket, bool chunked, const FeedMaker& maker) {
    uint64_t key = 0;
    {
        std::lock_guard lock(state_->mutex);
        key = state_->next_key++;
    }
    // Feeds hold the hub's state alone: whoever calls `wake` late reaches what is still there.
    Stream stream{std::move(socket), chunked, maker([state = state_, key] { state->signal(key); })};
    std::lock_guard lock(state_->mutex);
    if (state_->ending) return;
    if (!state_->thread.joinable()) state_->thread = std::thread([state = state_.get()] { state->run(); });
    state_->added.emplace(key, std::move(stream));
    uint64_t one = 1;
    (void)!::write(state_->wake.get(), &one, sizeof one);  // an eventfd takes it
}

}  // namespace kedge::api
