#pragma once

#include "base/error.h"
#include "cli/client.h"

#include <string>

namespace kedge::cli {

/// A container's streams are carried from its start, or of one that runs from now on, until it ends.
struct AttachedRun {
    bool start = true;                          ///< false: it runs already
    bool in = false, out = false, err = false;  ///< which of its streams
    bool tty = false;                           ///< it has a terminal
    bool pass_signals = true;                   ///< not with a terminal, which passes keys on instead
    std::string detach_keys;                    ///< empty: Ctrl-P Ctrl-Q

    /// The exit code: the container's, 0 (of one that ran already 1) when somebody detached, or 125 to 127 (with the
    /// error printed) if it could not be started.
    int run(const Client& client, const std::string& id) const;
};

/// 127: the program is not there; 126: it can't be executed; 125: everything else.
int exit_code_of_start(const Error& error);

}  // namespace kedge::cli
