#pragma once

#include "api/http.h"
#include "base/detach_keys.h"
#include "base/fd.h"

#include <array>
#include <atomic>

namespace kedge::api {

/// Where a process' output comes from: two pipes whose data go out as frames, or with `raw` a terminal as it is.
struct OutputEnds {
    int out = -1;  ///< -1: not wanted
    int err = -1;
    bool raw = false;
};

/// Forwards until both have ended. Once one of `done` is readable only what is there by then: children that a command
/// left behind may write for ever. With `quiet` what comes is read and dropped.
void pump_output(const OutputEnds& ends, std::array<int, 2> done, Writer& to, const std::atomic<bool>* quiet = nullptr);

/// Forwards what the client sends to a non-blocking descriptor until it sends no more, or nobody reads it. `to` is
/// closed then. With `keys` (a terminal's) also until they have been pressed, which is true. `done` ends it as well.
bool pump_input(Duplex& from, Fd to, int done, DetachKeys* keys);

}  // namespace kedge::api
