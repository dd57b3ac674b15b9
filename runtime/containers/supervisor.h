#pragma once

#include "base/fd.h"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace kedge::runtime {

/// The one thread that waits for processes to end and for restart times to come. It sleeps in epoll(7) and wakes up for
/// nothing else. Callbacks run on it and must not wait for long.
class Supervisor {
public:
    using Callback = std::function<void(const std::string& id)>;

    explicit Supervisor(Callback on_time);
    ~Supervisor();  ///< ends the thread; the containers are not touched

    /// Calls `ended` once when the process behind the pidfd has ended.
    void watch(Fd pidfd, std::function<void()> ended);

    /// Calls on_time(id) at that time; a second call for the same id replaces the first.
    void call_at(const std::string& id, std::chrono::steady_clock::time_point time);
    void cancel(const std::string& id);

private:
    void run();
    void handle_exits(uint64_t key);
    void handle_times();
    void set_timer();  ///< mutex_ is held

    Callback on_time_;
    Fd epoll_, timer_, wake_;
    std::mutex mutex_;
    uint64_t next_key_ = 2;
    struct Watched {
        Fd pidfd;
        std::function<void()> ended;
    };
    std::map<uint64_t, Watched> watched_;
    std::map<std::string, std::chrono::steady_clock::time_point> times_;
    std::thread thread_;
};

}  // namespace kedge::runtime
