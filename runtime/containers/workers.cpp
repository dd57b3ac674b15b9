#include "runtime/containers/workers.h"

#include "base/log.h"

#include <exception>
#include <string>

namespace kedge::runtime {

Workers::~Workers() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
        queue_.clear();
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void Workers::post(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    if (ending_) return;
    queue_.push_back(std::move(work));
    if (idle_ < queue_.size() && threads_.size() < most_) threads_.emplace_back([this] { run(); });
    changed_.notify_one();
}

void Workers::run() {
    (void)::pthread_setname_np(::pthread_self(), "worker");
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        --idle_;
        if (ending_) return;
        auto work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        try {
            work();
        } catch (const std::exception& e) {
            log(LogLevel::error, std::string("container: ") + e.what());
        }
        work = nullptr;
        lock.lock();
    }
}

}  // namespace kedge::runtime
