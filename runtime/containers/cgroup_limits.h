#pragma once

#include "runtime/container_spec.h"

#include <string>
#include <vector>

namespace kedge::runtime {

struct CgroupHierarchy;

/// Writes what differs between two sets of limits into the group's files, of a new group (`before` is empty) or of one
/// with processes in it. What the machine can't limit is a warning. Throws Error; some of it may then be in force.
void write_limits(const std::vector<CgroupHierarchy>& hierarchies, const std::string& path, const Resources& now,
                  const Resources& before, std::vector<std::string>& warnings);

/// Memory and swap together in bytes: what was asked for, or twice the memory. 0: no limit of memory; -1: none of swap.
int64_t swap_limit(const Resources& resources);

}  // namespace kedge::runtime
