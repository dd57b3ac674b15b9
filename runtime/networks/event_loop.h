#pragma once

#include "base/fd.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace kedge::runtime {

/// One thread on epoll. It sleeps until a descriptor is ready or a timer is due. All but call() belongs to that thread.
class EventLoop {
public:
    using Clock = std::chrono::steady_clock;
    using Handler = std::function<void(uint32_t events)>;

    EventLoop();
    ~EventLoop();  ///< waits for the thread

    /// Runs `work` on the loop's thread and waits for it. Its exceptions come back to the caller.
    void call(const std::function<void()>& work);

    /// The descriptor stays the caller's, who removes it before closing it. Throws Error.
    void watch(int fd, uint32_t events, Handler handler);
    void change(int fd, uint32_t events);
    void forget(int fd);

    using Timer = std::multimap<Clock::time_point, std::function<void()>>::iterator;
    Timer at(Clock::time_point when, std::function<void()> work);
    void cancel(Timer timer);

private:
    struct Watched {
        uint32_t generation = 0;
        std::shared_ptr<Handler> handler;
    };
    void run();
    void run_posted();
    void run_timers();
    int milliseconds_to_next() const;

    Fd epoll_;
    Fd wake_;
    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;
    bool stop_ = false;
    std::map<int, Watched> watched_;
    uint32_t generation_ = 0;
    std::multimap<Clock::time_point, std::function<void()>> timers_;
    std::thread thread_;
};

}  // namespace kedge::runtime
