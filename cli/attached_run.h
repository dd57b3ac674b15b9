#pragma once

#include "base/error.h"
#include "cli/client.h"

#include <string>

namespace kedge::cli {

/// A container that was created is started, its output shown, and its end waited for.
struct AttachedRun {
    bool out = false, err = false;  ///< which of its streams are shown
    bool remove = false;            ///< the agent removes it at its end
    bool pass_signals = true;

    /// The exit code: the container's, or 125 to 127 (with the error printed) if it could not be started.
    int run(const Client& client, const std::string& id) const;
};

/// 127: the program is not there; 126: it can't be executed; 125: everything else.
int exit_code_of_start(const Error& error);

}  // namespace kedge::cli
