#include "runtime/shim/attach.h"
#include "runtime/shim/modes.h"
#include "runtime/shim/start.h"
#include "runtime/shim/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace kedge::shim {

namespace {

struct Kept {
    int run_folder = -1;
    int oom_file = -1;
    int init = -1;
    int listener = -1;  ///< for who attaches
};

bool was_oom_killed(int file) {
    char text[512] = {};
    long size = file < 0 ? 0 : sys(__NR_pread64, file, text, sizeof text - 1, 0);
    const char key[] = "oom_kill ";
    for (long i = 0; i + static_cast<long>(sizeof key) <= size; i++) {
        if ((i > 0 && text[i - 1] != '\n') || memcmp(text + i, key, sizeof key - 1) != 0) continue;
        return text[i + static_cast<long>(sizeof key) - 1] != '0';
    }
    return false;
}

long write_record(int folder, const char* name, const char* temporary, const Line& text) {
    int fd = open_file(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    long result = fd < 0 ? fd : write_whole(fd, text.text(), text.size());
    if (fd >= 0) close_fd(fd);
    return result < 0 ? result : sys(__NR_renameat2, folder, temporary, folder, name, 0);
}

void record_exit(const Kept& kept) {
    siginfo_t info{};
    (void)sys(__NR_waitid, P_PIDFD, kept.init, &info, WEXITED, nullptr);
    int code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    char buffer[160];
    Line text(buffer, sizeof buffer);
    text.add("code ").number(static_cast<uint64_t>(code)).add("\noom ").number(was_oom_killed(kept.oom_file) ? 1 : 0);
    text.add("\ntime ");
    add_time(text, now());
    text.add("\n");
    (void)write_record(kept.run_folder, "exit", "exit.new", text);
}

void watch(const Kept& kept, bool input_once) {
    pollfd watched[2 + kMostPolled] = {{kept.init, POLLIN, 0}, {kept.listener, POLLIN, 0}};
    while (true) {
        unsigned count = poll_streams(watched + 2);
        (void)sys(__NR_ppoll, watched, 2 + count, nullptr, nullptr, 0);
        // Who attached before the start gets all of it.
        if (watched[1].revents) accept_attached(kept.listener, input_once);
        if (watched[0].revents) break;
        serve_streams(watched + 2, count);
    }
    // What was written before the end is in the log before the end is known.
    finish_streams();
    record_exit(kept);
}

void become_container(Start& start) {
    join_cgroups(start);
    join_namespaces(start);
    name_host(start);
    enter_root(start);
    mount_all(start);
    // The network is wired meanwhile.
    const bool needs_links = start.has(kSettingsOfLinks);
    if (needs_links) await_go();
    settle(start);
    if (!needs_links) await_go();
    become_user(start);
    load_filter(start);
    execute(start);
}

void record_pids(const Start& start, const Kept& kept, Message& message) {
    char buffer[4096];
    Line text(buffer, sizeof buffer);
    auto add = [&](const char* name, int pid, uint64_t time) {
        text.add(name).number(static_cast<uint64_t>(pid)).add(" ").number(time).add("\n");
    };
    message.shim_pid = static_cast<int32_t>(sys(__NR_getpid));
    message.shim_start_time = start_time(0);
    message.start_time = start_time(message.pid);
    add("shim ", message.shim_pid, message.shim_start_time);
    add("init ", message.pid, message.start_time);
    if (start.plan->pid_note) text.add(start.text(start.plan->pid_note));
    long result = text.overflowed() ? -ENAMETOOLONG : write_record(kept.run_folder, "pid", "pid.new", text);
    if (result < 0) fail(Stage::plan, result, start.plan->run_folder);
}

/// Lets go of everything that only the start needed.
void forget_start(Start& start) {
    close_fd(kAgentFd);
    const Join* joins = start.list<Join>(start.plan->joins);
    for (uint32_t i = 0; i < start.plan->joins.count; i++)
        if (joins[i].fd >= 0) close_fd(joins[i].fd);
    const MountStep* steps = start.list<MountStep>(start.plan->mounts);
    for (uint32_t i = 0; i < start.plan->mounts.count; i++)
        if (steps[i].fd >= 0) close_fd(steps[i].fd);
    unmap_plan(start);
}

}  // namespace

int run_container() {
    Start start;
    if (!map_plan(start)) fail(Stage::plan, -EINVAL);
    reset_signals();
    (void)sys(__NR_setsid);
    (void)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)sys(__NR_prctl, PR_SET_NAME, "kedge-shim", 0, 0, 0);
    (void)sys(__NR_close_range, kAgentFd, ~0U, CLOSE_RANGE_CLOEXEC);
    Kept kept;
    kept.run_folder = open_file(AT_FDCWD, start.text(start.plan->run_folder), O_PATH | O_DIRECTORY);
    if (kept.run_folder < 0) fail(Stage::plan, kept.run_folder, start.plan->run_folder);
    open_streams(start);
    kept.listener = listen_for_attached(kept.run_folder);
    if (kept.listener < 0) fail(Stage::plan, kept.listener, start.plan->run_folder);
    const bool input_once = start.has(kStdinOnce);
    const Join* joins = start.list<Join>(start.plan->joins);
    for (uint32_t i = 0; i < start.plan->joins.count; i++) {
        if (joins[i].type != CLONE_NEWPID) continue;
        if (long result = sys(__NR_setns, joins[i].fd, CLONE_NEWPID); result < 0) fail(Stage::join, result);
    }
    await_go();  // its control groups are there
    if (start.plan->oom_file) kept.oom_file = open_file(AT_FDCWD, start.text(start.plan->oom_file), O_RDONLY);
    int pid = clone_process(start, &kept.init);
    if (pid == 0) become_container(start);
    if (pid < 0) fail(Stage::clone, pid);
    Message message;
    message.pid = pid;
    record_pids(start, kept, message);
    tell(message, kept.init);
    begin_streams(start);
    forget_start(start);
    watch(kept, input_once);
    return 0;
}

}  // namespace kedge::shim
