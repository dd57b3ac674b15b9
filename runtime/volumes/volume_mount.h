#pragma once

#include "base/fd.h"
#include "runtime/volumes.h"

#include <map>
#include <string>

namespace kedge::runtime {

// Volumes that are something else than a folder of kedge's: the options `type`, `device` and `o` of Docker's local
// driver, which are those of mount(8). They are mounted for one container at a time, in its own mount namespace.

using VolumeOptions = std::map<std::string, std::string>;

/// Refuses unknown options and such that need others, in Docker's words. Whether there is such a device, only mounting
/// finds out.
void check_volume_options(const VolumeOptions& options);

/// Whether there is something to mount. Otherwise the volume is a plain folder.
bool is_mounted(const VolumeOptions& options);

/// Whether that is a part of the host's file tree, the same for everybody who mounts it.
bool is_bind(const VolumeOptions& options);

/// Mounts it where nobody else sees it. The descriptor is all of it, or what lies at `subpath`, which no link may lead
/// to: something that can be mounted into a container. Throws Error in Docker's words.
Fd mount_volume(const VolumeInfo& volume, const std::string& subpath);

}  // namespace kedge::runtime
