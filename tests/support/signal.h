#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace kedge {

/// Something another thread waits for, with a deadline.
class Signal {
public:
    void give() {
        std::lock_guard lock(mutex_);
        given_ = true;
        changed_.notify_all();
    }
    /// False if it was not given in time.
    bool await() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return given_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool given_ = false;
};

}  // namespace kedge
