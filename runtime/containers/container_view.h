#pragma once

#include "base/fd.h"
#include "runtime/containers/placed_mount.h"

#include <string>
#include <vector>

namespace kedge::runtime {

// A container's files through one descriptor: a copy of its mounts that belongs to nobody's mount namespace. It shows
// in no mount table and ends with the last descriptor in it, so a crash leaves nothing behind. Both throw Error.

/// Of a running container: its root, with `mounts` also what is mounted below it at this moment. A descriptor without
/// value if the process has ended.
Fd open_running_view(int init_pidfd, bool mounts);

/// What a running container has mounted at `target`, to be mounted in another one, `read_only` or not; nothing if there
/// is no mount (any more), or the process has ended.
Fd open_mount_of(int init_pidfd, const std::string& target, bool read_only);

/// The mount at /dev/shm of a running container, to be mounted in another one. Throws Error (conflict) if there is no
/// tmpfs any more.
Fd open_shared_memory(int init_pidfd);

struct StoppedRoot {
    std::vector<std::string> layers;  ///< as in LaunchRequest
    std::string container_folder;
    bool read_only = false;
    std::vector<PlacedMount> mounts;  ///< tmpfs and what isn't there any more are left out
};
/// Of a container that doesn't run, writable. Nobody may start it while something is written there.
Fd open_stopped_view(const StoppedRoot& root);

}  // namespace kedge::runtime
