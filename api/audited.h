#pragma once

#include "api/audit.h"
#include "api/http.h"
#include "api/services.h"

namespace kedge::api {

/// The handler, with an entry in the audit log for every request that may change something: all but GET, HEAD, and
/// waiting for ends and the sizes of terminals.
Handler audited(Handler handler, const Services& services);

}  // namespace kedge::api
