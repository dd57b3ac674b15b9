#pragma once

#include "runtime/containers/launch_spec.h"

#include <string>
#include <utility>
#include <vector>

namespace kedge::oci {

/// The options of a mount, as runtime-spec, config.md, "Linux mount options", has them, by who takes them.
struct MountOptions {
    bool bind = false;
    bool recursive = false;  ///< rbind
    bool remount = false;
    bool id_mapped = false;
    bool id_mapped_deep = false;
    bool copy_up = false;
    uint64_t propagation = 0;  ///< MS_*; 0: not given
    bool propagation_deep = false;
    uint64_t set = 0, clear = 0;                            ///< MOUNT_ATTR_* of the mount
    uint64_t deep_set = 0, deep_clear = 0;                  ///< and of those below it too
    std::vector<std::string> superblock;                    ///< flags of the file system: sync, lazytime, ...
    std::vector<std::pair<std::string, std::string>> data;  ///< the file system's own; an empty value: a flag
};

MountOptions parse_mount_options(const std::vector<std::string>& options);

/// Every name that isn't a file system's own, for `features`.
std::vector<std::string> mount_option_names();

/// The changes that follow from attributes and propagation, in the order in which they are made.
std::vector<shim::MountChange> mount_changes(const MountOptions& options);

}  // namespace kedge::oci
