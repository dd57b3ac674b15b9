#include "runtime/shim/modes.h"
#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/socket.h>

namespace kedge::shim {

namespace {

long write_to(const char* path, const char* text) {
    int fd = open_file(AT_FDCWD, path, O_WRONLY);
    long result = fd < 0 ? fd : write_whole(fd, text, length(text));
    if (fd >= 0) close_fd(fd);
    return result;
}

/// Before anything new is made, so that it belongs to the user namespace. That one comes last: from inside it the
/// others could not be entered.
void join_first(const Start& start) {
    const Join* joins = start.list<Join>(start.plan->joins);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < start.plan->joins.count; i++) {
            if ((joins[i].type == CLONE_NEWUSER) != (pass == 1)) continue;
            if (long result = sys(__NR_setns, joins[i].fd, joins[i].type); result < 0) fail(Stage::join, result);
        }
    }
}

/// Offsets can be set as long as nobody lives in the namespace, which is made for children.
void make_time_namespace(const Start& start) {
    if (!start.has(kNewTimeNamespace)) return;
    long result = sys(__NR_unshare, 0x80);  // CLONE_NEWTIME
    if (result >= 0 && start.plan->time_offsets)
        result = write_to("/proc/self/timens_offsets", start.text(start.plan->time_offsets));
    if (result < 0) fail(Stage::time, result);
}

/// Until somebody wants it to start; he then takes the agent's place and learns what comes of it.
void await_start(const Start& start) {
    close_fd(kAgentFd);
    long caller;
    do {
        caller = sys(__NR_accept4, start.plan->listener, nullptr, nullptr, SOCK_CLOEXEC);
    } while (caller == -EINTR || caller == -ECONNABORTED);
    if (caller < 0) leave(kCannotStart);
    if (caller != kAgentFd) {
        (void)sys(__NR_dup3, caller, kAgentFd, O_CLOEXEC);
        close_fd(static_cast<int>(caller));
    }
    close_fd(start.plan->listener);
}

/// Queues of messages belong to who made their namespace.
void make_late(uint64_t late) {
    long result = late ? sys(__NR_unshare, late) : 0;
    if (result < 0) fail(Stage::clone, result);
}

[[noreturn]] void become_created(Start& start, uint64_t late) {
    (void)sys(__NR_prctl, PR_SET_NAME, "kedge-created", 0, 0, 0);
    join_cgroups(start);
    await_go();  // the user namespace has its mappings
    attach_root(start);
    become_namespace_root(start);
    make_late(late);
    name_host(start);
    mount_all(start);
    change_profile(start);
    if (start.plan->keyring)
        (void)sys(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING,
                  start.text(start.plan->keyring));  // not every kernel has any
    Message message;
    message.kind = MessageKind::prepared;
    tell(message);
    await_go();  // hooks have seen it
    leave_host(start);
    settle(start);
    change_personality(start);
    become_user(start);
    check_executable(start);
    message.kind = MessageKind::ready;
    tell(message);
    await_start(start);
    load_filter(start);
    execute(start);
}

}  // namespace

int run_create() {
    Start start;
    if (!map_plan(start)) fail(Stage::plan, -EINVAL);
    reset_signals();
    (void)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)sys(__NR_close_range, kAgentFd, ~0U, CLOSE_RANGE_CLOEXEC);
    if (start.has(kTerminal)) start.terminal = kAgentFd;
    join_first(start);
    make_time_namespace(start);
    start.plan->joins.count = 0;
    const uint64_t late = start.has(kUserNamespace) ? start.plan->clone_flags & CLONE_NEWIPC : 0;
    start.plan->clone_flags &= ~late;
    int pidfd = -1;
    int pid = clone_process(start, &pidfd);
    if (pid == 0) become_created(start, late);
    if (pid < 0) fail(Stage::clone, pid);
    Message message;
    message.pid = pid;
    message.start_time = start_time(pid);
    tell(message, pidfd);
    return 0;
}

}  // namespace kedge::shim
