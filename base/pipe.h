#pragma once

#include "base/fd.h"

namespace kedge {

/// Both ends of a pipe(7), close-on-exec.
struct Pipe {
    Fd read, write;
};
/// Throws Error.
Pipe make_pipe();

}  // namespace kedge
