#include "runtime/shim/log_writer.h"
#include "runtime/shim/modes.h"
#include "runtime/shim/start.h"

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

constexpr size_t kLongestLine = 16384;  // longer ones are logged in parts, as Docker does
constexpr size_t kTurn = 262144;  // bytes read from one stream before the other and the container's end are looked at

/// One stream of the container on its way into the log.
struct Stream {
    int fd = -1;
    bool error_stream = false;
    bool discard = false;
    size_t used = 0;
    char text[kLongestLine];
};

// Zero pages until they are used: a container that writes little costs little.
Stream streams[2];
LogWriter log_file;
int terminal = -1;   ///< where the container's side of the terminal comes from
int keep_open = -1;  ///< writing end of an open standard input that nobody is attached to

/// How much of a text that was cut anywhere ends with a whole UTF-8 character; what is no UTF-8 at all counts as whole.
size_t whole_characters(const char* text, size_t size) {
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char c = static_cast<unsigned char>(text[size - back]);
        if ((c & 0xc0) == 0x80) continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return need > back ? size - back : size;
    }
    return size;
}

void log_lines(Stream& stream, bool at_end) {
    size_t begin = 0;
    for (size_t i = 0; i < stream.used; i++) {
        if (stream.text[i] != '\n') continue;
        log_file.write(stream.text + begin, i + 1 - begin, stream.error_stream);
        begin = i + 1;
    }
    bool full = begin == 0 && stream.used == kLongestLine;
    if ((full || at_end) && begin < stream.used) {
        size_t end = at_end ? stream.used : begin + whole_characters(stream.text + begin, stream.used - begin);
        log_file.write(stream.text + begin, end - begin, stream.error_stream);
        begin = end;
    }
    memmove(stream.text, stream.text + begin, stream.used - begin);
    stream.used -= begin;
}

/// Reads until nothing is there for the moment, or `most` bytes: a writer may be faster than this.
void drain(Stream& stream, size_t most) {
    for (size_t taken = 0; stream.fd >= 0 && taken < most;) {
        long n = sys(__NR_read, stream.fd, stream.text + stream.used, kLongestLine - stream.used);
        if (n == -EINTR) continue;
        if (n == -EAGAIN) break;
        bool ended = n <= 0;
        if (!ended) {
            stream.used += static_cast<size_t>(n);
            taken += static_cast<size_t>(n);
        }
        if (stream.discard)
            stream.used = 0;
        else
            log_lines(stream, ended);
        if (!ended) continue;
        close_fd(stream.fd);
        stream.fd = -1;
    }
    if (log_file.is_open()) log_file.flush();
}

/// Reads what is there by now, and no more: what is left behind in a shared pid namespace may go on writing.
void drain_rest(Stream& stream) {
    int there = 0;
    if (stream.fd >= 0) (void)sys(__NR_ioctl, stream.fd, FIONREAD, &there);
    // One byte more sees the end of the stream.
    drain(stream, static_cast<size_t>(there) + 1);
}

struct Kept {
    int run_folder = -1;
    int oom_file = -1;
    int init = -1;
};

bool was_oom_killed(int file) {
    char text[512];
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

void watch(const Kept& kept) {
    pollfd watched[3] = {{kept.init, POLLIN, 0}, {streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
    while (true) {
        (void)sys(__NR_ppoll, watched, 3, nullptr, nullptr, 0);
        // The streams come first, so that what was written before the end is in the log before the end is known.
        bool ended = watched[0].revents != 0;
        for (int i = 0; i < 2; i++) {
            if (ended)
                drain_rest(streams[i]);
            else if (watched[i + 1].revents)
                drain(streams[i], kTurn);
            watched[i + 1].fd = streams[i].fd;
        }
        if (!ended) continue;
        for (Stream& stream : streams)
            if (!stream.discard && stream.used > 0) log_lines(stream, true);
        if (log_file.is_open()) log_file.flush();
        record_exit(kept);
        return;
    }
}

void become_container(Start& start) {
    join_cgroups(start);
    join_namespaces(start);
    name_host(start);
    enter_root(start);
    mount_all(start);
    write_sysctls(start);
    cover_all(start);
    enter_working_dir(start);
    seal_root(start);
    (void)sys(__NR_setsid);
    connect_streams(start);
    connect_terminal(start);
    set_limits(start);
    char go = 0;
    // The agent says when the network is wired; its death says that nobody would ever know of this container.
    if (sys(__NR_read, kAgentFd, &go, 1) != 1) fail(Stage::network, -ECONNRESET);
    become_user(start);
    execute(start);
}

bool make_pipe(int* read_end, int* write_end) {
    int ends[2];
    if (sys(__NR_pipe2, ends, O_CLOEXEC) < 0) return false;
    *read_end = ends[0];
    *write_end = ends[1];
    return true;
}

void open_streams(Start& start) {
    const Plan& plan = *start.plan;
    streams[1].error_stream = true;
    if (start.has(kKeepLog)) {
        int result = log_file.open(start.text(plan.log_folder), start.text(plan.log_name), plan.log_max_size,
                                   plan.log_max_files);
        if (result < 0) fail(Stage::log, result, plan.log_folder);
    }
    if (start.has(kTerminal)) {
        int ends[2];
        if (sys(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) fail(Stage::terminal, -EMFILE);
        terminal = ends[0];
        start.terminal = ends[1];
        streams[0].discard = !log_file.is_open();
        return;
    }
    if (log_file.is_open()) {
        bool ok = make_pipe(&streams[0].fd, &start.out_write) && make_pipe(&streams[1].fd, &start.err_write);
        if (!ok) fail(Stage::pipe, -EMFILE);
        for (Stream& stream : streams) (void)sys(__NR_fcntl, stream.fd, F_SETFL, O_NONBLOCK);
    }
    if (start.has(kOpenStdin) && !make_pipe(&start.in_read, &keep_open)) fail(Stage::pipe, -EMFILE);
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

void close_if_open(int& fd) {
    if (fd >= 0) close_fd(fd);
    fd = -1;
}

/// Lets go of everything that only the start needed.
void forget_start(Start& start) {
    close_if_open(start.out_write);
    close_if_open(start.err_write);
    close_if_open(start.in_read);
    close_if_open(start.terminal);
    close_fd(kAgentFd);
    for (uint32_t i = 0; i < start.plan->joins.count; i++) close_if_open(start.list<Join>(start.plan->joins)[i].fd);
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
    if (start.plan->oom_file) kept.oom_file = open_file(AT_FDCWD, start.text(start.plan->oom_file), O_RDONLY);
    open_streams(start);
    const Join* joins = start.list<Join>(start.plan->joins);
    for (uint32_t i = 0; i < start.plan->joins.count; i++) {
        if (joins[i].type != CLONE_NEWPID) continue;
        if (long result = sys(__NR_setns, joins[i].fd, CLONE_NEWPID); result < 0) fail(Stage::join, result);
    }
    int pid = clone_process(start, &kept.init);
    if (pid == 0) become_container(start);
    if (pid < 0) fail(Stage::clone, pid);
    Message message;
    message.pid = pid;
    record_pids(start, kept, message);
    tell(message, kept.init);
    forget_start(start);
    if (terminal >= 0) {
        streams[0].fd = receive_descriptor(terminal);  // none if the start failed
        close_if_open(terminal);
        if (streams[0].fd >= 0) (void)sys(__NR_fcntl, streams[0].fd, F_SETFL, O_RDWR | O_NONBLOCK);
    }
    watch(kept);
    return 0;
}

}  // namespace kedge::shim
