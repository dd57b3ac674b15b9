#pragma once

#include "base/fd.h"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {

/// What a process is born into, where that isn't what its parent is in.
struct Birth {
    int process_namespace = -1;  ///< that of the process with this pidfd
    std::string cgroup_folder;   ///< a group of cgroup v2 (CLONE_INTO_CGROUP)
};

/// A process that this one has started, and has to reap.
struct Spawned {
    int pid = 0;
    Fd pidfd;
};

/// Starts `program` with `argument` and `descriptors` as its 0, 1, 2, ...: close-on-exec or not, all others stay
/// behind. All signals are blocked in it. Throws Error.
Spawned spawn_shim(const std::string& program, const char* argument, const std::vector<int>& descriptors,
                   const Birth& birth = {});

/// A process that whoever sees first that it has ended reaps. Thread-safe.
class Child {
public:
    explicit Child(Spawned process) : process_(std::move(process)) {}

    int pid() const { return process_.pid; }
    /// Readable once it has ended.
    const Fd& pidfd() const { return process_.pidfd; }
    /// 128 + signal if one has killed it; nothing while it runs.
    std::optional<int> exit_code();
    /// SIGKILL for it and everything that it started; see kill_tree.
    void kill_with_descendants();

private:
    std::mutex mutex_;  // as long as it is held, the number stays the process' own
    Spawned process_;
    std::optional<int> exit_code_;
};

}  // namespace kedge::runtime
