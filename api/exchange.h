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

/// Serves the next request of a connection: reads it, calls the handler, writes the answer, or of a feed the head. What
/// the handler throws becomes Docker's error body. `last`: the client is told that the connection will be closed.
/// `peer`: who is at the other end, for requests that ask.
Served serve_request(Connection& connection, PeerWatch& watch, const Handler& handler,
                     const std::function<Peer()>& peer, bool last);

}  // namespace kedge::api
