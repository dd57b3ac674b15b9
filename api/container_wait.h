#pragma once

#include "api/http.h"

namespace kedge::runtime {
class Containers;
}

namespace kedge::api {

/// POST /containers/{id}/wait: the head at once, so that a client can start the container while it waits, then the exit
/// code.
Response wait_reply(const Request& request, runtime::Containers& containers);

}  // namespace kedge::api
