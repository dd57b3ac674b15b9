#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace kedge::api {

/// An answer that goes on for as long as something happens. It has no thread: it says when there may be more, and is
/// asked for that once its client has taken what was there before. One thread calls it.
class Feed {
public:
    virtual ~Feed() = default;

    using Time = std::chrono::steady_clock::time_point;
    enum class State { more, waiting, ended };
    /// Puts what there is to send behind `out`, some tens of kilobytes at once; `more`: there may be more already.
    virtual State fill(std::string& out) = 0;
    /// When it wants to be asked though nothing happened.
    virtual Time deadline() const { return Time::max(); }
};

/// Makes the feed once the answer's head is sent. `wake` may be called by any thread, at any time until the feed is
/// gone, also from within callbacks that hold locks.
using FeedMaker = std::function<std::unique_ptr<Feed>(std::function<void()> wake)>;

}  // namespace kedge::api
