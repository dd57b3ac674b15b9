#pragma once

#include "runtime/containers/launch_spec.h"

namespace kedge::runtime {

/// Writes <run folder>/config.json: the container as OCI runtime-spec says it, for people and tools. kedge itself never
/// reads it.
void write_bundle(const LaunchRequest& request, const LaunchSpec& spec);

}  // namespace kedge::runtime
