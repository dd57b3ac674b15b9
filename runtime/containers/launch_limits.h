#pragma once

#include "runtime/containers/launch_spec.h"

namespace kedge::runtime {

/// Ulimits and oom_score_adj, none of which is inherited from the agent. What this process may not raise is cut down,
/// with a warning.
void plan_limits(const ContainerSpec& container, LaunchSpec& spec);

/// Sysctls of the request, which must belong to a namespace that is the container's own, and Docker's defaults.
void plan_sysctls(const LaunchRequest& request, LaunchSpec& spec);

uint32_t parse_count(const std::string& text, const std::string& what);

}  // namespace kedge::runtime
