#include "runtime/events.h"

namespace kedge::runtime {

void Events::publish(Event event) {
    if (event.time == WallTime{}) event.time = wall_now();
    {
        std::lock_guard lock(mutex_);
        kept_.push_back(std::move(event));
        if (kept_.size() > kKept) {
            kept_.pop_front();
            ++first_;
        }
    }
    changed_.notify_all();
}

uint64_t Events::next() const {
    std::lock_guard lock(mutex_);
    return first_ + kept_.size();
}

uint64_t Events::read(uint64_t from, const std::function<void(const Event&)>& sink, std::stop_token stop,
                      std::chrono::steady_clock::time_point deadline, uint64_t* missed) const {
    std::vector<Event> batch;
    uint64_t last = from;
    {
        std::unique_lock lock(mutex_);
        auto ready = [&] { return first_ + kept_.size() > from; };
        if (deadline == std::chrono::steady_clock::time_point::max()) {
            changed_.wait(lock, stop, ready);
        } else {
            changed_.wait_until(lock, stop, deadline, ready);
        }
        uint64_t begin = std::max(from, first_);
        if (missed) *missed = begin - from;
        last = std::max(from, first_ + kept_.size());
        if (begin < last) batch.assign(kept_.begin() + static_cast<long>(begin - first_), kept_.end());
    }
    for (const Event& event : batch) sink(event);
    return last;
}

}  // namespace kedge::runtime
