#pragma once

#include "api/feed.h"
#include "base/fd.h"

#include <memory>

namespace kedge::api {

/// Sends all feeds of a server: one thread on epoll(7), begun with the first feed. A client that reads slowly holds up
/// its own feed alone, and never has more than a few tens of kilobytes waiting here. Thread-safe.
class FeedHub {
public:
    FeedHub();
    ~FeedHub();  ///< ends all feeds
    FeedHub(const FeedHub&) = delete;
    FeedHub& operator=(const FeedHub&) = delete;

    /// Makes the feed and sends it to `socket` until it ends, or the client is gone, or the hub ends; then the socket
    /// is closed. `chunked`: in chunks (RFC 9112, 7.1). What the maker throws is thrown, and the socket is closed.
    void add(Fd socket, bool chunked, const FeedMaker& maker);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kedge::api
