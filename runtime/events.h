#pragma once

#include "base/callbacks.h"
#include "base/clock.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Something that happened, in Docker's event format: type container, image, volume, network (and kedge's own: release,
/// project); action create, start, die, stop, kill, destroy, oom, health_status: healthy, exec_start: ..., pull, tag,
/// untag, delete, ...
struct Event {
    std::string type;
    std::string action;
    std::string id;
    std::map<std::string, std::string> attributes;  ///< a container's labels, name, image, exitCode
    WallTime time;
};

/// Keeps the newest events and hands them to any number of readers, who are never waited for: a reader that
/// falls more than the kept number behind misses events and is told. Thread-safe.
class Events {
public:
    void publish(Event event);

    /// Sequence number of the next event.
    uint64_t next() const;

    /// Blocks until there are events from `from` on, `stop`, or the deadline; calls `sink` for each and returns the
    /// sequence number to go on from. `missed` tells how many were dropped. Those of commands in containers
    /// (`exec_...`, three for each probe of a health check) wake nobody here: they come with the next other one.
    uint64_t read(uint64_t from, const std::function<void(const Event&)>& sink, std::stop_token stop,
                  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max(),
                  uint64_t* missed = nullptr) const;

    /// The same without blocking, for at most so many.
    uint64_t read_now(uint64_t from, const std::function<void(const Event&)>& sink, size_t most) const;

    /// Who is told that there is a new event.
    using Subscription = Callbacks<int>::Handle;
    /// `published` is called while an event is being published: it only notes it.
    Subscription subscribe(std::function<void()> published) { return subscribers_.add(0, std::move(published)); }

private:
    static constexpr size_t kKept = 4096;

    /// With mutex_ held.
    std::vector<Event> batch_from(uint64_t* next, size_t most) const;

    mutable std::mutex mutex_;
    mutable std::condition_variable_any changed_;
    Callbacks<int> subscribers_;
    std::deque<Event> kept_;
    uint64_t first_ = 0;
};

}  // namespace kedge::runtime
