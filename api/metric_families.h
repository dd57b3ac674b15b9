#pragma once

#include "api/services.h"

#include <prometheus/metric_family.h>

#include <vector>

namespace kedge::api {

// The metrics by where they come from. Families without a value are left out by the caller.

std::vector<prometheus::MetricFamily> agent_families(const Services& services);
std::vector<prometheus::MetricFamily> controller_families(const Services& services);
std::vector<prometheus::MetricFamily> container_families(const Services& services);

}  // namespace kedge::api
