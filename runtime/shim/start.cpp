#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>

namespace kedge::shim {

bool map_plan(Start& start, int fd) {
    Plan head;
    if (sys(__NR_pread64, fd, &head, sizeof head, 0) != sizeof head || head.magic != kPlanMagic) return false;
    long at = sys(__NR_mmap, nullptr, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (at < 0 && at > -4096) return false;
    close_fd(fd);
    start.base = reinterpret_cast<char*>(at);  // NOLINT(performance-no-int-to-ptr): the kernel answers with a number
    start.plan = reinterpret_cast<Plan*>(start.base);
    return true;
}

void reset_signals() {
    const uint64_t standard[4] = {};  // the kernel's struct sigaction: handler, flags, restorer, mask
    for (int signal = 1; signal <= 64; signal++) (void)sys(__NR_rt_sigaction, signal, standard, nullptr, 8);
}

void unmap_plan(Start& start) {
    (void)sys(__NR_munmap, start.base, start.plan->size);
    start.base = nullptr;
    start.plan = nullptr;
}

namespace {
int agent = kAgentFd;
}

void move_agent(int at_least) {
    long fd = sys(__NR_fcntl, agent, F_DUPFD_CLOEXEC, at_least);
    if (fd < 0) fail(Stage::exec, fd);
    agent = static_cast<int>(fd);
}

void tell(Message message, int fd) {
    // An agent that has died is no reason to stop.
    (void)send_descriptor(agent, &message, sizeof message, fd);
}

void fail(Stage stage, long error, Text subject) {
    Message message;
    message.kind = MessageKind::failed;
    message.stage = stage;
    message.error = static_cast<int32_t>(-error);
    message.subject = subject;
    tell(message);
    bool executing = stage == Stage::exec || stage == Stage::exec_path;
    leave(!executing ? kCannotStart : error == -ENOENT || error == -ENOTDIR ? kNotFound : kCannotExecute);
}

void warn(Stage stage, long error, Text subject) {
    Message message;
    message.kind = MessageKind::warning;
    message.stage = stage;
    message.error = static_cast<int32_t>(-error);
    message.subject = subject;
    tell(message);
}

void await_go() {
    char go = 0;
    if (sys(__NR_read, kAgentFd, &go, 1) != 1) fail(Stage::network, -ECONNRESET);
}

int clone_process(const Start& start, int* pidfd) {
    clone_args args{};
    args.flags = start.plan->clone_flags | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<uint64_t>(pidfd);
    args.exit_signal = SIGCHLD;
    int cgroup = -1;
    if (start.plan->cgroup_folder) {
        cgroup = open_file(AT_FDCWD, start.text(start.plan->cgroup_folder), O_PATH | O_DIRECTORY);
        if (cgroup < 0) fail(Stage::cgroup, cgroup, start.plan->cgroup_folder);
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<uint64_t>(cgroup);
    }
    long pid = sys(__NR_clone3, &args, sizeof args);
    if (cgroup >= 0) close_fd(cgroup);
    return static_cast<int>(pid);
}

void settle(const Start& start) {
    write_sysctls(start);
    cover_all(start);
    enter_working_dir(start);
    seal_root(start);
    (void)sys(__NR_setsid);
    connect_streams(start);
    connect_terminal(start);
    set_limits(start);
}

}  // namespace kedge::shim
