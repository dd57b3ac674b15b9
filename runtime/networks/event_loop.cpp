#include "runtime/networks/event_loop.h"

#include "base/error.h"
#include "base/log.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <future>

namespace kedge::runtime {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !wake_) throw_errno("make event loop");
    watch(wake_.get(), EPOLLIN, [this](uint32_t) { run_posted(); });
    thread_ = std::thread([this] { run(); });
}

EventLoop::~EventLoop() {
    call([this] { stop_ = true; });
    thread_.join();
}

void EventLoop::call(const std::function<void()>& work) {
    auto task = std::make_shared<std::packaged_task<void()>>(work);
    auto done = task->get_future();
    {
        std::lock_guard lock(mutex_);
        posted_.emplace_back([task] { (*task)(); });
    }
    const uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);  // it can only fail when the thread is being woken anyway
    done.get();
}

void EventLoop::run_posted() {
    uint64_t count;
    (void)!::read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> work;
    {
        std::lock_guard lock(mutex_);
        work.swap(posted_);
    }
    for (auto& one : work) one();
}

void EventLoop::watch(int fd, uint32_t events, Handler handler) {
    const uint32_t generation = ++generation_;
    epoll_event event{};
    event.events = events;
    event.data.u64 = uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("watch descriptor");
    watched_[fd] = {generation, std::make_shared<Handler>(std::move(handler))};
}

void EventLoop::change(int fd, uint32_t events) {
    auto found = watched_.find(fd);
    if (found == watched_.end()) return;
    epoll_event event{};
    event.events = events;
    event.data.u64 = uint64_t{found->second.generation} << 32 | static_cast<uint32_t>(fd);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) throw_errno("watch descriptor");
}

void EventLoop::forget(int fd) {
    if (watched_.erase(fd) != 0)
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);  // closing does it as well
}

EventLoop::Timer EventLoop::at(Clock::time_point when, std::function<void()> work) {
    return timers_.emplace(when, std::move(work));
}

void EventLoop::cancel(Timer timer) {
    timers_.erase(timer);
}

int EventLoop::milliseconds_to_next() const {
    if (timers_.empty()) return -1;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left);
}

void EventLoop::run_timers() {
    while (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
        auto work = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        work();
    }
}

void EventLoop::run() {
    std::array<epoll_event, 32> events;
    while (!stop_) {
        int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_to_next());
        try {
            for (int i = 0; i < count; ++i) {
                // A handler before may have removed this one, and even put another in its place.
                const epoll_event& event = events[static_cast<size_t>(i)];
                auto found = watched_.find(static_cast<int>(event.data.u64 & 0xffffffff));
                if (found == watched_.end() || found->second.generation != event.data.u64 >> 32) continue;
                const auto handler = found->second.handler;
                (*handler)(event.events);
            }
            run_timers();
        } catch (const std::exception& e) {
            log(LogLevel::error, std::string("networks: ") + e.what());
        }
    }
}

}  // namespace kedge::runtime
