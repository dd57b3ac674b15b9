#include "runtime/events.h"

namespace kedge::runtime {

void Events::publish(Event event) {
    if (event.time == WallTime{}) event.time = wall_now();
    const bool of_command = event.action.starts_with("exec_");
    {
        std::lock_guard lock(mutex_);
        kept_.push_back(std::move(event));
        if (kept_.size() > kKept) {
            kept_.pop_front();
            ++first_;
        }
    }
    if (!of_command) changed_.notify_all();
    subscribers_.call(0);
}

uint64_t Events::next() const {
    std::lock_guard lock(mutex_);
    return first_ + kept_.size();
}

std::vector<Event> Events::batch_from(uint64_t* next, size_t most) const {
    uint64_t begin = std::max(*next, first_), end = first_ + kept_.size();
    if (begin >= end) return {};
    end = std::min<uint64_t>(end, begin + most);
    *next = end;
    auto at = [&](uint64_t number) { return kept_.begin() + static_cast<long>(number - first_); };
    return {at(begin), at(end)};
}

uint64_t Events::read(uint64_t from, const std::function<void(const Event&)>& sink, std::stop_token stop,
                      std::chrono::steady_clock::time_point deadline, uint64_t* missed) const {
    std::vector<Event> batch;
    {
        std::unique_lock lock(mutex_);
        auto ready = [&] { return first_ + kept_.size() > from; };
        if (deadline == std::chrono::steady_clock::time_point::max()) {
            changed_.wait(lock, stop, ready);
        } else {
            changed_.wait_until(lock, stop, deadline, ready);
        }
        if (missed) *missed = std::max(from, first_) - from;
        batch = batch_from(&from, kKept);
    }
    for (const Event& event : batch) sink(event);
    return from;
}

uint64_t Events::read_now(uint64_t from, const std::function<void(const Event&)>& sink, size_t most) const {
    std::vector<Event> batch;
    {
        std::lock_guard lock(mutex_);
        batch = batch_from(&from, most);
    }
    for (const Event& event : batch) sink(event);
    return from;
}

}  // namespace kedge::runtime
