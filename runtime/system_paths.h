#pragma once

#include "runtime/container_spec.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// What a container's /proc and /sys don't show, and what can't be written there: the lists of `spec`; Docker's where
/// it has none, which are empty for a privileged container. Paths that aren't there do no harm.
std::vector<std::string> masked_paths(const ContainerSpec& spec);
std::vector<std::string> readonly_paths(const ContainerSpec& spec);

}  // namespace kedge::runtime
