#include "runtime/containers/command.h"

#include "base/error.h"
#include "base/log.h"
#include "base/stop_fd.h"
#include "runtime/containers/launch_process.h"

#include <poll.h>

#include <csignal>

namespace kedge::runtime {

Command::~Command() {
    try {
        if (!over_) end();
    } catch (const std::exception& error) {
        log(LogLevel::warning, "exec in container " + container_ + ": " + error.what());
    }
}

/// One that does not die, as it waits in the kernel for a disk or a server, is left alone after a while.
void Command::end() {
    constexpr int kPatience = 1000;  // milliseconds
    process_.process->kill_with_descendants();
    (void)await_end(ended_fd(), kPatience);
}

int Command::take_code() {
    over_ = true;
    const int code = process_.process->exit_code().value_or(128 + SIGKILL);
    if (process_.error.empty()) tell_("exec_die", {{"exitCode", std::to_string(code)}});  // nothing else has lived
    return code;
}

int Command::wait(std::stop_token stop) {
    StopFd stopped(stop);
    pollfd fds[2] = {{ended_fd(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    const bool cancelled = fds[0].revents == 0;
    if (cancelled) end();
    const int code = take_code();
    if (cancelled) throw Error(Code::cancelled, "exec in container " + container_ + " was cancelled");
    return code;
}

}  // namespace kedge::runtime
