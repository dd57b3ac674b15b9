#pragma once

#include "base/clock.h"

#include <cstdint>
#include <functional>
#include <string>

namespace kedge::runtime {

struct LogOptions {
    bool follow = false;
    bool out = true;
    bool err = true;
    int64_t tail = -1;  ///< last lines only; -1: all
    WallTime since{};
    WallTime until{};
};

struct LogLine {
    WallTime time;
    bool err = false;  ///< from standard error
    std::string text;  ///< with its line end, if it had one
};

/// False: enough for now.
using LogSink = std::function<bool(const LogLine&)>;

/// A place in the log of a container from which it is read on as it grows. It has no thread: whoever made it is told
/// when there may be more. For one thread at a time.
class LogFollower {
public:
    virtual ~LogFollower() = default;

    enum class Read {
        more,     ///< the sink has enough, or a good deal was looked at: there may be more at once
        waiting,  ///< that was all so far
        ended     ///< that was all: the container has ended, or the time `until` has passed in the log
    };
    /// Hands over the lines that are there and were not yet. Never waits.
    virtual Read read(const LogSink& sink) = 0;
};

}  // namespace kedge::runtime
