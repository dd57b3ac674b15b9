#pragma once

#include "base/fd.h"
#include "runtime/container_spec.h"

#include <string>
#include <vector>

namespace kedge::runtime {

// A container's files through one descriptor: a copy of its mounts that belongs to nobody's mount namespace. It shows
// in no mount table and ends with the last descriptor in it, so a crash leaves nothing behind. Both throw Error.

/// Of a running container: its root, with `mounts` also what is mounted below it at this moment. A descriptor without
/// value if the process has ended.
Fd open_running_view(int init_pidfd, bool mounts);

/// The mount at /dev/shm of a running container, to be mounted in another one. Throws Error (conflict) if there is no
/// tmpfs any more.
Fd open_shared_memory(int init_pidfd);

struct StoppedRoot {
    std::vector<std::string> layers;  ///< as in LaunchRequest
    std::string container_folder;
    bool read_only = false;
    std::vector<Mount> mounts;  ///< volumes already turned into binds; those of type tmpfs are left out
};
/// Of a container that doesn't run, writable. Nobody may start it while something is written there.
Fd open_stopped_view(const StoppedRoot& root);

}  // namespace kedge::runtime
