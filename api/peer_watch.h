#pragma once

#include "base/fd.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace kedge::api {

/// Tells streaming requests that their client is gone: one thread on epoll, begun with the first connection that is
/// watched, asleep while nobody hangs up. Thread-safe.
class PeerWatch {
public:
    PeerWatch();
    ~PeerWatch();
    PeerWatch(const PeerWatch&) = delete;
    PeerWatch& operator=(const PeerWatch&) = delete;

    /// The token is requested when the peer of `socket` shuts its side or is gone. `socket` stays the caller's, who
    /// forgets it before closing it. With `half_closed` a peer that only sends no more is still there.
    std::stop_token watch(int socket, bool half_closed = false);
    void forget(int socket);

    /// Requests every token, also those of connections that are watched later.
    void stop_all();

private:
    void run();

    Fd epoll_;
    Fd wake_;
    std::mutex mutex_;
    struct Watched {
        std::stop_source source;
        uint32_t generation = 0;  ///< tells an event of a closed connection from one of the next of its number
    };
    std::map<int, Watched> watched_;
    uint32_t generation_ = 0;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace kedge::api
