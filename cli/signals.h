#pragma once

#include "base/fd.h"

#include <string>

namespace kedge::cli {

/// Catches the signals that end or tell a program something, so that they can be passed on. Make it before other
/// threads. The signals stay caught until the process ends.
class CaughtSignals {
public:
    CaughtSignals();
    /// For poll.
    int fd() const { return fd_.get(); }
    /// The number of one that came.
    int take();

private:
    Fd fd_;
};

}  // namespace kedge::cli
