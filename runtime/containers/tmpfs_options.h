#pragma once

#include "runtime/container_spec.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

/// How a tmpfs is mounted: noexec, nosuid and nodev unless its options say otherwise.
struct TmpfsOptions {
    uint64_t attributes = 0;  ///< MOUNT_ATTR_*
    std::vector<std::pair<std::string, std::string>> values;
};
/// Throws Error (invalid_argument) that names an option that there isn't.
TmpfsOptions tmpfs_options(const Mount& mount);

}  // namespace kedge::runtime
