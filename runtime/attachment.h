#pragma once

#include "base/clock.h"
#include "base/fd.h"

#include <memory>
#include <stop_token>

namespace kedge::runtime {

/// What of a container's streams somebody wants.
struct AttachOptions {
    bool out = true;
    bool err = true;       ///< a terminal has no stream of its own for errors
    bool in = false;       ///< its standard input, if it was made with one
    bool pending = false;  ///< begin with what it has written of a line whose end has not come, which no log has yet
};

/// Somebody is attached to a container until this is destroyed. The output is raw: what the container writes from the
/// attaching on (of one that doesn't run: in its next run), to the end of that run. Who doesn't read holds the
/// container up, as a pipe does.
class Attachment {
public:
    virtual ~Attachment() = default;
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;

    /// To be read, with an end of file at the end of the run; -1: not asked for. Owned by this.
    virtual int out() const = 0;
    virtual int err() const = 0;

    struct Begun {
        Fd in;           ///< non-blocking: the standard input's writing end or the terminal; empty: there is none
        WallTime since;  ///< what was logged up to then is not part of the output
    };
    /// Blocks until the container runs, or won't. The second call gets no input. Error cancelled.
    virtual Begun wait(std::stop_token stop) = 0;

protected:
    Attachment() = default;
};

}  // namespace kedge::runtime
