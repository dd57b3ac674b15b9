#pragma once

#include "runtime/containers.h"

namespace kedge::runtime {

// What can be told of limits and restart policies by themselves. All throw Error (invalid_argument) in Docker's words.

void check_resources(const Resources& resources);
void check_fixed_limits(const FixedLimits& limits);
void check_restart(const RestartPolicy& policy);
/// The wishes of an update; what they come to together with what the container has is checked by check_resources().
void check_update(const ContainerUpdate& update);

}  // namespace kedge::runtime
