#include "runtime/shim/modes.h"
#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

namespace kedge::shim {

namespace {

/// What to execute: the agent finds that out while this process enters the container.
void take_whole_plan(Start& start) {
    const int fd = start.plan->whole_plan;
    if (fd < 0) return;
    await_go();
    if (!map_plan(start, fd)) fail(Stage::plan, -EINVAL);
}

[[noreturn]] void become_process(Start& start) {
    join_cgroups(start);  // while the host's cgroup files can still be seen
    take_whole_plan(start);
    change_profile(start);
    change_personality(start);
    join_namespaces(start);
    become_namespace_root(start);
    enter_working_dir(start);
    (void)sys(__NR_setsid);
    connect_streams(start);
    connect_terminal(start);
    set_limits(start);
    if (start.has(kAwaitGo)) await_go();
    become_user(start);
    load_filter(start);
    execute(start);
}

/// Until the process ends. SIGTERM means that it is to be ended: it has to be reaped here, as one that is left to the
/// host's init keeps its container's process namespace alive until that finds the time. (When this process is killed,
/// so is it.)
int wait_for(int pidfd) {
    const uint64_t terminate = uint64_t{1} << (SIGTERM - 1);
    (void)sys(__NR_rt_sigprocmask, SIG_BLOCK, &terminate, nullptr, 8);
    int told = static_cast<int>(sys(__NR_signalfd4, -1, &terminate, 8, SFD_CLOEXEC));
    if (told < 0) (void)sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &terminate, nullptr, 8);
    pollfd fds[2] = {{pidfd, POLLIN, 0}, {told, POLLIN, 0}};
    while (fds[0].revents == 0) {
        (void)sys(__NR_ppoll, fds, 2, nullptr, nullptr, 8);
        if (fds[1].revents == 0) continue;
        (void)sys(__NR_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
        fds[1].fd = -1;
    }
    siginfo_t info{};
    while (sys(__NR_waitid, P_PIDFD, pidfd, &info, WEXITED, nullptr) == -EINTR) {
    }
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace

int run_exec() {
    Start start;
    if (!map_plan(start)) fail(Stage::plan, -EINVAL);
    reset_signals();
    (void)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)sys(__NR_prctl, PR_SET_NAME, "kedge-shim", 0, 0, 0);
    (void)sys(__NR_close_range, kAgentFd, ~0U, CLOSE_RANGE_CLOEXEC);
    // The reading end tells the new process that this one has died before it could ask for a signal at that.
    int ends[2] = {-1, -1};
    if (sys(__NR_pipe2, ends, O_CLOEXEC) < 0) fail(Stage::pipe, -EMFILE);
    if (!start.has(kDetached)) start.parent = ends[0];
    if (start.has(kTerminal)) start.terminal = kAgentFd;
    start.console = false;
    const Join* joins = start.list<Join>(start.plan->joins);
    for (uint32_t i = 0; i < start.plan->joins.count; i++) {
        if (joins[i].type & CLONE_NEWPID) {
            if (long result = sys(__NR_setns, joins[i].fd, CLONE_NEWPID); result < 0) fail(Stage::join, result);
        }
    }
    int pidfd = -1;
    int pid = clone_process(start, &pidfd);
    if (pid == 0) {
        close_fd(ends[1]);
        become_process(start);
    }
    if (pid < 0) fail(Stage::clone, pid);
    Message message;
    message.pid = pid;
    message.start_time = start_time(pid);
    tell(message, pidfd);
    if (start.has(kDetached)) return 0;
    // What the caller gave as streams is the new process' alone: it sees their end when that closes them.
    for (int fd = 0; fd < 3; fd++) close_fd(fd);
    close_fd(kAgentFd);
    const int exit_status = start.plan->exit_status;
    unmap_plan(start);
    const int32_t code = wait_for(pidfd);
    // Who waits needs not wait for this process to go as well.
    if (exit_status >= 0) (void)write_whole(exit_status, reinterpret_cast<const char*>(&code), sizeof code);
    return code;
}

}  // namespace kedge::shim
