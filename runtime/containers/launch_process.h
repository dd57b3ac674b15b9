#pragma once

#include "runtime/containers/launcher.h"

#include <string>

namespace kedge::runtime {

/// What a shim wrote into the `pid` file of a run folder.
struct PidFile {
    ProcessId shim;
    ProcessId init;
    std::string cgroup;
};

/// False if there is none or it makes no sense.
bool read_pid_file(const std::string& run_folder, PidFile* result);

/// Field 22 of /proc/<pid>/stat; 0 if there is no such process, or only what is left of one (a zombie).
uint64_t process_start_time(int pid);

/// A pidfd of exactly this process; empty if it has ended, also if its number belongs to another one now.
Fd open_process(const ProcessId& process);

/// Waits until the process has ended. False when the time is over.
bool await_end(int pidfd, int milliseconds);

}  // namespace kedge::runtime
