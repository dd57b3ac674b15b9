#include "runtime/shim/modes.h"
#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

namespace kedge::shim {

namespace {

[[noreturn]] void become_process(Start& start) {
    join_cgroups(start);  // while the host's cgroup files can still be seen
    join_namespaces(start);
    enter_working_dir(start);
    (void)sys(__NR_setsid);
    connect_streams(start);
    set_limits(start);
    become_user(start);
    execute(start);
}

int wait_for(int pidfd) {
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
    int ends[2];
    if (sys(__NR_pipe2, ends, O_CLOEXEC) < 0) fail(Stage::pipe, -EMFILE);
    start.parent = ends[0];
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
    // What the caller gave as streams is the new process' alone: it sees their end when that closes them.
    for (int fd = 0; fd < 3; fd++) close_fd(fd);
    close_fd(kAgentFd);
    unmap_plan(start);
    return wait_for(pidfd);
}

}  // namespace kedge::shim
