#pragma once

#include "api/audit.h"
#include "api/connection.h"
#include "api/http.h"

namespace kedge::api {

class PeerWatch;

/// What becomes of a connection after a request.
struct Served {
    bool next = false;    ///< another may come; else it is closed
    FeedMaker feed = {};  ///< it belongs to this from now on
    bool chunked = false;
};

/// What a connection's requests are served with.
struct Serving {
    PeerWatch& watch;
    const Handler& handler;
    std::function<Peer()> peer;        ///< who is at the other end, for requests that ask
    std::function<void()> taken_over;  ///< called when the connection leaves HTTP, for as long as it likes
    bool last = false;                 ///< the client is told that the connection will be closed
};

/// Serves the next request of a connection: reads it, calls the handler, writes the answer, or of a feed the head. What
/// the handler throws becomes Docker's error body.
Served serve_request(Connection& connection, const Serving& with);

}  // namespace kedge::api
