#pragma once

#include "health/health.h"

#include <chrono>
#include <map>
#include <string>

namespace kedge::reconciler {

/// Containers that are watched for their monitor time. It is measured by the steady clock: the machine's time may be
/// set meanwhile.
class Soak {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// `restarts`: how often it had been started again by its policy, which is not held against it.
    void watch(const runtime::ContainerInfo& info, int restarts, Time now) {
        watched_[info.id] = {restarts, info.started, now};
    }
    bool watches(const std::string& id) const { return watched_.contains(id); }

    struct Verdict {
        health::ContainerVerdict verdict;
        Time due;  ///< when the monitor time is over
    };
    /// Of one that is watched. One that was started anew meanwhile is watched from its start on.
    Verdict judge(const runtime::ContainerInfo& info, Nanoseconds monitor, Time now);

    struct Watched {
        int restarts = 0;
        WallTime started;
        Time since;
    };
    const std::map<std::string, Watched>& watched() const { return watched_; }

private:
    std::map<std::string, Watched> watched_;
};

}  // namespace kedge::reconciler
