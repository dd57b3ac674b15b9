#include "runtime/containers/supervisor.h"

#include "base/error.h"
#include "base/log.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

namespace kedge::runtime {

namespace {

constexpr uint64_t kWakeKey = 0;
constexpr uint64_t kTimerKey = 1;

void add(int epoll, int fd, uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("epoll_ctl");
}

}  // namespace

Supervisor::Supervisor(Callback on_time)
    : on_time_(std::move(on_time)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !timer_ || !wake_) throw_errno("supervisor");
    add(epoll_.get(), wake_.get(), kWakeKey);
    add(epoll_.get(), timer_.get(), kTimerKey);
    thread_ = std::thread([this] { run(); });
}

Supervisor::~Supervisor() {
    uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);  // an eventfd takes it
    thread_.join();
}

void Supervisor::watch(Fd pidfd, std::function<void()> ended) {
    std::lock_guard lock(mutex_);
    uint64_t key = next_key_++;
    int fd = pidfd.get();
    watched_.emplace(key, Watched{std::move(pidfd), std::move(ended)});
    add(epoll_.get(), fd, key);
}

void Supervisor::call_at(const std::string& id, std::chrono::steady_clock::time_point time) {
    std::lock_guard lock(mutex_);
    times_[id] = time;
    set_timer();
}

void Supervisor::cancel(const std::string& id) {
    std::lock_guard lock(mutex_);
    if (times_.erase(id) > 0) set_timer();
}

void Supervisor::set_timer() {
    itimerspec spec{};
    if (!times_.empty()) {
        auto earliest =
            std::min_element(times_.begin(), times_.end(), [](auto& a, auto& b) { return a.second < b.second; });
        auto since_boot = std::chrono::nanoseconds(earliest->second.time_since_epoch());
        since_boot = std::max(since_boot, std::chrono::nanoseconds(1));  // zero would disarm it
        spec.it_value.tv_sec = since_boot.count() / 1000000000;
        spec.it_value.tv_nsec = since_boot.count() % 1000000000;
    }
    // steady_clock is CLOCK_MONOTONIC on Linux.
    if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) != 0) throw_errno("timerfd_settime");
}

void Supervisor::run() {
    (void)::pthread_setname_np(::pthread_self(), "supervisor");
    while (true) {
        epoll_event events[16];
        int count = ::epoll_wait(epoll_.get(), events, 16, -1);
        for (int i = 0; i < count; ++i) {
            try {
                if (events[i].data.u64 == kWakeKey) return;
                if (events[i].data.u64 == kTimerKey)
                    handle_times();
                else
                    handle_exits(events[i].data.u64);
            } catch (const std::exception& e) {
                log(LogLevel::error, std::string("supervisor: ") + e.what());
            }
        }
    }
}

void Supervisor::handle_exits(uint64_t key) {
    Watched ended;
    {
        std::lock_guard lock(mutex_);
        auto found = watched_.find(key);
        if (found == watched_.end()) return;
        ended = std::move(found->second);
        watched_.erase(found);
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, ended.pidfd.get(), nullptr);
    }
    ended.ended();
}

void Supervisor::handle_times() {
    uint64_t expirations = 0;
    (void)!::read(timer_.get(), &expirations, sizeof expirations);  // what is due is read from the clock
    std::vector<std::string> due;
    {
        std::lock_guard lock(mutex_);
        auto now = std::chrono::steady_clock::now();
        for (auto it = times_.begin(); it != times_.end();) {
            if (it->second <= now) {
                due.push_back(it->first);
                it = times_.erase(it);
            } else {
                ++it;
            }
        }
        set_timer();
    }
    for (const std::string& id : due) on_time_(id);
}

}  // namespace kedge::runtime
