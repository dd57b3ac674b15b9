#pragma once

#include "api/audit.h"
#include "api/connection.h"
#include "api/http.h"

namespace kedge::api {

class PeerWatch;

/// Serves the next request of a connection: reads it, calls the handler, writes the answer. What the handler throws
/// becomes Docker's error body. False when the connection is to be closed; `last`: the client is told that it will be.
/// `peer`: who is at the other end, for requests that ask.
bool serve_request(Connection& connection, PeerWatch& watch, const Handler& handler, const std::function<Peer()>& peer,
                   bool last);

}  // namespace kedge::api
