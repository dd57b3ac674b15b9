#pragma once

#include "api/http.h"

namespace kedge::runtime {
class Engine;
}

namespace kedge::api {

/// POST /containers/{id}/wait: the head at once, so that a client can start the container while it waits, then the exit
/// code.
Response wait_reply(const Request& request, runtime::Engine& engine);

}  // namespace kedge::api
