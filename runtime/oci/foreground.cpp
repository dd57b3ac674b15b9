#include "runtime/oci/foreground.h"

#include "base/error.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace kedge::oci {

namespace {

/// This process' terminal as one through which another is used; put back in the end.
class RawTerminal {
public:
    RawTerminal() {
        if (::tcgetattr(0, &before_) != 0) return;
        termios raw = before_;
        ::cfmakeraw(&raw);
        changed_ = ::tcsetattr(0, TCSANOW, &raw) == 0;
    }
    ~RawTerminal() {
        if (changed_) (void)::tcsetattr(0, TCSANOW, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

private:
    termios before_{};
    bool changed_ = false;
};

void copy_size(int terminal) {
    winsize size{};
    if (::ioctl(0, TIOCGWINSZ, &size) == 0) (void)::ioctl(terminal, TIOCSWINSZ, &size);
}

/// What can be read now. False at the end.
bool relay(int from, int to) {
    char buffer[65536];
    ssize_t size = ::read(from, buffer, sizeof buffer);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (size <= 0) return false;
    for (ssize_t at = 0; at < size;) {
        ssize_t n = ::write(to, buffer + at, static_cast<size_t>(size - at));
        if (n < 0 && errno == EAGAIN) {
            pollfd room{to, POLLOUT, 0};
            (void)::poll(&room, 1, -1);
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        at += n;
    }
    return true;
}

void hand_on(int signals, const Created& process) {
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) != sizeof info) return;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGWINCH && process.terminal) return copy_size(process.terminal.get());
    if (signal == SIGCHLD || signal == SIGPIPE || signal == SIGURG) return;
    (void)::syscall(SYS_pidfd_send_signal, process.pidfd.get(), signal, nullptr, 0);
}

/// Orphans of the container's are reaped as they end, the process itself last.
int reap(int pid) {
    while (true) {
        int status = 0;
        const pid_t ended = ::waitpid(-1, &status, 0);
        if (ended < 0 && errno == EINTR) continue;
        if (ended < 0) throw_errno("wait for the container's process");
        if (ended == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

}  // namespace

void prepare_foreground() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) throw_errno("take in the container's processes");
    sigset_t all;
    ::sigfillset(&all);
    if (::sigprocmask(SIG_BLOCK, &all, nullptr) != 0) throw_errno("block signals");
}

int await_process(const Created& process) {
    sigset_t all;
    ::sigfillset(&all);
    Fd signals(::signalfd(-1, &all, SFD_CLOEXEC));
    if (!signals) throw_errno("wait for signals");
    std::optional<RawTerminal> raw;
    const int terminal = process.terminal.get();
    if (terminal >= 0) {
        raw.emplace();
        copy_size(terminal);
    }
    pollfd watched[] = {{process.pidfd.get(), POLLIN, 0},
                        {signals.get(), POLLIN, 0},
                        {terminal, POLLIN, 0},
                        {terminal >= 0 ? 0 : -1, POLLIN, 0}};
    while (watched[0].revents == 0) {
        if (::poll(watched, 4, -1) < 0 && errno != EINTR) throw_errno("wait for the container's process");
        if (watched[1].revents) hand_on(signals.get(), process);
        if (watched[2].revents && !relay(terminal, 1)) watched[2].fd = -1;
        if (watched[3].revents && !relay(0, terminal)) watched[3].fd = -1;
    }
    // What it wrote before its end is still there.
    for (pollfd rest{watched[2].fd, POLLIN, 0}; ::poll(&rest, 1, 0) > 0 && relay(terminal, 1);) {
    }
    return reap(process.init.pid);
}

}  // namespace kedge::oci
