#include "base/pipe.h"

#include "base/error.h"

#include <fcntl.h>
#include <unistd.h>

namespace kedge {

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe");
    return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace kedge
