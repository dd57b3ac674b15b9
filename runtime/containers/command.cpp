#include "runtime/containers/command.h"

#include "base/error.h"
#include "base/log.h"
#include "base/stop_fd.h"
#include "runtime/containers/process_tree.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace kedge::runtime {

Command::~Command() {
    if (!over_) end();
    try {
        if (!reaped_) (void)reap();
    } catch (const std::exception& error) {
        log(LogLevel::warning, "exec in container " + container_ + ": " + error.what());
    }
}

/// Of a shell that is killed alone, what it waits for would go on in the container. Its shim reaps it; one that
/// does not die (it waits in the kernel for a disk or a server) is left to the host's init.
void Command::end() {
    constexpr int kPatience = 1000;  // milliseconds
    pollfd inner{process_.inner_pidfd.get(), POLLIN, 0};
    bool runs = process_.inner_pidfd && ::poll(&inner, 1, 0) == 0;
    if (runs) kill_tree(process_.inner_pid);  // its shim has not reaped it, so the number is still its own
    pollfd shim{process_.pidfd.get(), POLLIN, 0};
    (void)::syscall(SYS_pidfd_send_signal, process_.pidfd.get(), SIGTERM, nullptr, 0);  // it may have ended
    if (::poll(&shim, 1, kPatience) == 0)
        (void)::syscall(SYS_pidfd_send_signal, process_.pidfd.get(), SIGKILL, nullptr, 0);
}

/// What the shim says of it, which is about to end itself; or how that ended, if it died before.
int Command::take_code() {
    over_ = true;
    int32_t code = 0;
    ssize_t size = -1;
    do size = ::read(process_.exit_status.get(), &code, sizeof code);
    while (size < 0 && errno == EINTR);
    if (size != sizeof code) code = reap();
    if (process_.error.empty()) tell_("exec_die", {{"exitCode", std::to_string(code)}});  // nothing else has lived
    return code;
}

int Command::reap() {
    reaped_ = true;
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.pidfd.get()), &info, WEXITED) != 0) {
        if (errno != EINTR) throw_errno("wait for exec");
    }
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int Command::wait(std::stop_token stop) {
    StopFd stopped(stop);
    pollfd fds[2] = {{process_.exit_status.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    const bool cancelled = fds[0].revents == 0;
    if (cancelled) end();
    const int code = take_code();
    if (cancelled) throw Error(Code::cancelled, "exec in container " + container_ + " was cancelled");
    return code;
}

}  // namespace kedge::runtime
