#pragma once

#include "runtime/shim/start.h"

#include <poll.h>

/// A container's standard streams while it runs: its output goes into the log and to everybody who is attached. Who is
/// attached and reads slowly holds the stream up, as a pipe does; nothing is lost.
namespace kedge::shim {

constexpr int kStreams = 2;  ///< output and error; a terminal only has the first

/// Opens the log and makes the pipes, whose other ends are put into `start`. Does not return on failure.
void open_streams(Start& start);

/// Lets go of the container's ends, and takes the terminal's master, if there is one, from the new process.
void begin_streams(Start& start);

/// The terminal's master or the writing end of an open standard input; -1 if there is neither.
int input_end();
/// With `once`: nobody else can get it; it ends with whoever has it.
void give_away_input(bool once);

/// Takes the pipes of somebody who attaches (-1: not wanted), also on failure. `pending`: begins with what has come of
/// the present line. 0 or a negative errno.
int attach_pipes(int out, int err, bool pending);

/// Fills in what is to be polled for the streams, at most kMostPolled entries. How many there are.
constexpr unsigned kMostAttached = 16;
constexpr unsigned kMostPolled = kStreams * (1 + kMostAttached);
unsigned poll_streams(pollfd* entries);
/// Does what the polled entries say.
void serve_streams(const pollfd* entries, unsigned count);

/// The container has ended: reads what is there by now, and no more (what is left behind in a shared pid namespace may
/// go on writing), and finishes the log. Nobody who is attached is waited for.
void finish_streams();

}  // namespace kedge::shim
