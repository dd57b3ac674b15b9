#include "cli/terminal.h"

#include "base/error.h"

#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace kedge::cli {

TerminalSize terminal_size() {
    winsize size{};
    for (int fd : {STDOUT_FILENO, STDIN_FILENO})
        if (::ioctl(fd, TIOCGWINSZ, &size) == 0) return {size.ws_row, size.ws_col};
    return {};
}

RawTerminal::RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw_errno("read the terminal's state");
    sigset_t set;
    sigemptyset(&set);
    for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH}) sigaddset(&set, number);
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) throw Error(Code::internal, "block signals");
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
    if (!signals_) throw_errno("signalfd");
    termios raw = before_;
    ::cfmakeraw(&raw);
    if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) throw_errno("set the terminal's state");
}

void RawTerminal::restore() {
    (void)::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);  // fails only when the terminal is gone
}

bool RawTerminal::resized() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) throw_errno("read a signal");
    int number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH) return true;
    restore();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    (void)std::signal(number, SIG_DFL);
    (void)::raise(number);
    (void)::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    return false;
}

}  // namespace kedge::cli
