#pragma once

#include "runtime/container_spec.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

/// How a tmpfs is mounted: noexec, nosuid and nodev unless its options say otherwise, the last of them if they differ.
struct TmpfsOptions {
    uint64_t attributes = 0;   ///< MOUNT_ATTR_*
    uint64_t propagation = 0;  ///< MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0: as its surroundings
    std::vector<std::pair<std::string, std::string>> values;  ///< an empty value: a flag
};
/// Throws Error (invalid_argument) that names an option that there isn't.
TmpfsOptions tmpfs_options(const Mount& mount);

}  // namespace kedge::runtime
