#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kedge::runtime {

/// A few threads for what the supervisor finds to do and that takes its time: starting containers again, removing them.
/// Threads are made when there is work for them.
class Workers {
public:
    explicit Workers(size_t most) : most_(most) {}
    ~Workers();  ///< finishes the work that was begun, drops the rest

    void post(std::function<void()> work);

private:
    void run();

    const size_t most_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    size_t idle_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace kedge::runtime
