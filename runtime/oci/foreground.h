#pragma once

#include "runtime/oci/commands.h"

namespace kedge::oci {

/// Takes in orphans from now on, and keeps signals for await_process. Before the process is made.
void prepare_foreground();

/// Until the process has ended: hands signals on to it, and its terminal (if it has one) to this process' own. Returns
/// its exit code, 128 + signal if it was killed by one.
int await_process(const Created& process);

}  // namespace kedge::oci
