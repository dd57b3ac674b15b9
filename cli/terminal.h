#pragma once

#include "base/fd.h"

#include <termios.h>

namespace kedge::cli {

struct TerminalSize {
    unsigned rows = 0;  ///< 0: not known
    unsigned columns = 0;
};
/// Of standard output's terminal, or else standard input's.
TerminalSize terminal_size();

/// Standard input's terminal passes every key on as it is, until this ends; then, and also when a signal ends the
/// command, it is as it was. Make it before other threads. Signals that end programs stay caught until the process
/// ends.
class RawTerminal {
public:
    RawTerminal();
    ~RawTerminal() { restore(); }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    /// For poll.
    int fd() const { return signals_.get(); }
    /// When fd() is readable: true if the window's size has changed. What ends programs ends this one here.
    bool resized();

private:
    void restore();

    termios before_{};
    Fd signals_;
};

}  // namespace kedge::cli
