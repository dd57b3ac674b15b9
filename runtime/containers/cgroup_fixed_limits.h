#pragma once

#include "runtime/container_spec.h"

#include <string>
#include <vector>

namespace kedge::runtime {

struct CgroupHierarchy;

/// Writes the limits that never change into the files of the new group `path`. What the machine hasn't is a warning.
/// Throws Error.
void write_fixed_limits(const std::vector<CgroupHierarchy>& hierarchies, const std::string& path,
                        const FixedLimits& limits, std::vector<std::string>& warnings);

/// `8:0` of the block device that lies there on the host. Throws Error (invalid_argument).
std::string device_number(const std::string& path);

}  // namespace kedge::runtime
