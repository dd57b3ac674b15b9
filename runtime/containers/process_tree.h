#pragma once

namespace kedge::runtime {

/// SIGKILL for the process (a pid of this machine's, which nobody has reaped) and everything that it started: its
/// descendants, and what is in its session, also when who started that has ended. What left the session and lost its
/// parents is not found.
void kill_tree(int pid);

}  // namespace kedge::runtime
