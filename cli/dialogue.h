#pragma once

#include "base/detach_keys.h"
#include "cli/frame_printer.h"
#include "cli/hijack.h"
#include "cli/terminal.h"

#include <poll.h>

#include <functional>
#include <optional>
#include <string>

namespace kedge::cli {

/// Carries bytes between this command's standard streams and a hijacked connection, whose output comes in frames, for
/// as long as its owner polls.
class Dialogue {
public:
    struct Options {
        bool in = false;   ///< standard input goes to the other side
        bool tty = false;  ///< the other side has a terminal, and this one gets raw
        std::string detach_keys;
        std::function<void(TerminalSize)> resize;  ///< called when this terminal's size has changed
    };

    Dialogue(Hijacked& stream, Options options);

    static constexpr int kPolled = 3;
    void poll_for(pollfd* entries) const;
    /// Does what the polled entries say.
    void serve(const pollfd* entries);

    bool ended() const { return ended_; }  ///< the other side sends no more
    /// What the last frame said (FramePrinter).
    std::optional<int> exit_code() const { return frames_.exit_code(); }
    /// It has ended because somebody pressed the detach keys.
    bool detached() const { return ended_ && keys_.detached(); }

private:
    void receive();
    void take_input();
    void send();

    Hijacked& stream_;
    Options options_;
    FramePrinter frames_;
    DetachKeys keys_;
    std::optional<RawTerminal> terminal_;
    std::string unsent_;
    bool more_input_ = false, ended_ = false;
};

/// Whether flags ask for a terminal that isn't there: Error, as Docker's.
void check_terminal(bool in, bool tty);

}  // namespace kedge::cli
