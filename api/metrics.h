#pragma once

#include "api/http.h"
#include "api/services.h"

#include <string>

namespace kedge::api {

/// Prometheus' text exposition format of what the engine and the control loop know now.
std::string metrics_text(const Services& services);

/// The handler of a metrics listener: GET /metrics and nothing else.
Handler make_metrics_only(const Services& services);

}  // namespace kedge::api
