#include "runtime/shim/streams.h"

#include "runtime/shim/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace kedge::shim {

namespace {

constexpr size_t kLongestLine = 16384;  // longer ones are logged in parts, as Docker does
constexpr size_t kTurn = 262144;        // bytes read from one stream before all else is looked at
constexpr int kPipeAtEnd = 1 << 18;     // bytes: several times what a pipe has if nobody asks for more

struct Stream {
    int fd = -1;
    size_t used = 0;  ///< of its text: a line whose end has not come
};

/// Where one stream goes besides the log.
struct Follower {
    int fd = -1;
    size_t begin = 0;  ///< of its waiting bytes, which the pipe had no room for
    size_t end = 0;
};

// Nothing runs constructors here. The large ones are zero pages until they are used: a container that writes little,
// and that nobody is attached to, costs little.
constinit Stream streams[kStreams];
constinit Follower followers[kStreams][kMostAttached];
constinit LogWriter log_file;
char texts[kStreams][kLongestLine];
char waiting[kStreams][kMostAttached][kLongestLine];
int terminal = -1;   ///< where the container's side of the terminal comes from
int keep_open = -1;  ///< the writing end of an open standard input
bool has_terminal = false;

void close_if_open(int& fd) {
    if (fd >= 0) close_fd(fd);
    fd = -1;
}

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

void log_lines(int number, bool at_end) {
    Stream& stream = streams[number];
    char* text = texts[number];
    size_t begin = 0;
    for (size_t i = 0; i < stream.used; i++) {
        if (text[i] != '\n') continue;
        log_file.write(text + begin, i + 1 - begin, number == 1);
        begin = i + 1;
    }
    bool full = begin == 0 && stream.used == kLongestLine;
    if ((full || at_end) && begin < stream.used) {
        size_t end = at_end ? stream.used : begin + whole_characters(text + begin, stream.used - begin);
        log_file.write(text + begin, end - begin, number == 1);
        begin = end;
    }
    memmove(text, text + begin, stream.used - begin);
    stream.used -= begin;
}

/// Hands over what the pipe takes. False when there is something left.
bool flush(Follower& follower, const char* bytes) {
    while (follower.fd >= 0 && follower.begin < follower.end) {
        long n = sys(__NR_write, follower.fd, bytes + follower.begin, follower.end - follower.begin);
        if (n == -EINTR) continue;
        if (n == -EAGAIN) return false;
        if (n < 0)
            close_if_open(follower.fd);  // nobody reads any more
        else
            follower.begin += static_cast<size_t>(n);
    }
    follower.begin = follower.end = 0;
    return true;
}

/// Nothing is waiting for anybody before this is called.
void forward(int number, const char* data, size_t size) {
    for (unsigned i = 0; i < kMostAttached; i++) {
        Follower& follower = followers[number][i];
        if (follower.fd < 0) continue;
        long n = sys(__NR_write, follower.fd, data, size);
        if (n < 0 && n != -EAGAIN && n != -EINTR) {
            close_if_open(follower.fd);
            continue;
        }
        size_t taken = n > 0 ? static_cast<size_t>(n) : 0;
        memcpy(waiting[number][i], data + taken, size - taken);
        follower.begin = 0;
        follower.end = size - taken;
    }
}

/// At the container's end: a larger pipe holds its last words until they are read.
void leave_behind(int number) {
    for (unsigned i = 0; i < kMostAttached; i++) {
        Follower& follower = followers[number][i];
        if (follower.fd < 0 || flush(follower, waiting[number][i])) continue;
        (void)sys(__NR_fcntl, follower.fd, F_SETPIPE_SZ, kPipeAtEnd);
        if (!flush(follower, waiting[number][i])) close_if_open(follower.fd);
    }
}

bool held_up(int number) {
    for (const Follower& follower : followers[number])
        if (follower.fd >= 0 && follower.begin < follower.end) return true;
    return false;
}

void end_stream(int number) {
    if (log_file.is_open()) log_lines(number, true);
    close_if_open(streams[number].fd);
    for (Follower& follower : followers[number])
        if (follower.begin == follower.end) close_if_open(follower.fd);
}

/// Reads until nothing is there for the moment, or `most` bytes (a writer may be faster than this). Somebody who is
/// attached and takes no more is waited for, or `at_end` left behind.
void drain(int number, size_t most, bool at_end = false) {
    Stream& stream = streams[number];
    for (size_t taken = 0; stream.fd >= 0 && taken < most;) {
        if (at_end) leave_behind(number);
        if (held_up(number)) break;
        char* place = texts[number] + stream.used;
        long n = sys(__NR_read, stream.fd, place, kLongestLine - stream.used);
        if (n == -EINTR) continue;
        if (n == -EAGAIN) break;
        if (n <= 0) {
            end_stream(number);
            break;
        }
        forward(number, place, static_cast<size_t>(n));
        taken += static_cast<size_t>(n);
        if (!log_file.is_open()) continue;
        stream.used += static_cast<size_t>(n);
        log_lines(number, false);
    }
    if (log_file.is_open()) log_file.flush();
}

bool make_pipe(int* read_end, int* write_end) {
    int ends[2] = {-1, -1};
    if (sys(__NR_pipe2, ends, O_CLOEXEC) < 0) return false;
    *read_end = ends[0];
    *write_end = ends[1];
    return true;
}

void serve_followers(int number, const pollfd& entry) {
    for (unsigned i = 0; i < kMostAttached; i++) {
        Follower& follower = followers[number][i];
        if (follower.fd != entry.fd) continue;
        bool gone = (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        bool done = gone || flush(follower, waiting[number][i]);
        if (done && (gone || streams[number].fd < 0)) close_if_open(follower.fd);
    }
}

/// The pipe becomes `number`'s, unless that has ended. -EMFILE when too many have one.
int follow(int number, int& pipe, bool pending) {
    if (pipe < 0 || streams[number].fd < 0) return 0;
    for (unsigned i = 0; i < kMostAttached; i++) {
        Follower& follower = followers[number][i];
        if (follower.fd >= 0) continue;
        (void)sys(__NR_fcntl, pipe, F_SETFL, O_WRONLY | O_NONBLOCK);
        follower.fd = pipe;
        follower.begin = 0;
        follower.end = pending ? streams[number].used : 0;
        memcpy(waiting[number][i], texts[number], follower.end);
        (void)flush(follower, waiting[number][i]);
        pipe = -1;
        return 0;
    }
    return -EMFILE;
}

}  // namespace

void open_streams(Start& start) {
    const Plan& plan = *start.plan;
    if (start.has(kKeepLog)) {
        int result = log_file.open(start.text(plan.log_folder), start.text(plan.log_name), plan.log_max_size,
                                   plan.log_max_files);
        if (result < 0) fail(Stage::log, result, plan.log_folder);
    }
    if (start.has(kTerminal)) {
        int ends[2] = {-1, -1};
        if (sys(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) fail(Stage::terminal, -EMFILE);
        terminal = ends[0];
        start.terminal = ends[1];
        has_terminal = true;
        return;
    }
    if (!make_pipe(&streams[0].fd, &start.out_write) || !make_pipe(&streams[1].fd, &start.err_write))
        fail(Stage::pipe, -EMFILE);
    for (Stream& stream : streams) (void)sys(__NR_fcntl, stream.fd, F_SETFL, O_NONBLOCK);
    if (start.has(kOpenStdin) && !make_pipe(&start.in_read, &keep_open)) fail(Stage::pipe, -EMFILE);
}

void begin_streams(Start& start) {
    close_if_open(start.out_write);
    close_if_open(start.err_write);
    close_if_open(start.in_read);
    close_if_open(start.terminal);
    if (terminal < 0) return;
    streams[0].fd = receive_descriptor(terminal);  // none if the start failed
    close_if_open(terminal);
    if (streams[0].fd >= 0) (void)sys(__NR_fcntl, streams[0].fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

int input_end() {
    return has_terminal ? streams[0].fd : keep_open;
}

void give_away_input(bool once) {
    if (once) close_if_open(keep_open);
}

int attach_pipes(int out, int err, bool pending) {
    int result = follow(0, out, pending);
    if (result == 0) result = follow(1, err, pending);
    close_if_open(out);
    close_if_open(err);
    return result;
}

unsigned poll_streams(pollfd* entries) {
    unsigned count = 0;
    for (int number = 0; number < kStreams; number++) {
        entries[count++] = {held_up(number) ? -1 : streams[number].fd, POLLIN, 0};
        // One that waits for nothing is still watched for its reader's end.
        for (const Follower& follower : followers[number]) {
            if (follower.fd < 0) continue;
            entries[count++] = {follower.fd, static_cast<short>(follower.begin < follower.end ? POLLOUT : 0), 0};
        }
    }
    return count;
}

void serve_streams(const pollfd* entries, unsigned count) {
    unsigned drained[kStreams] = {};
    for (unsigned i = 0; i < count; i++) {
        if (entries[i].fd < 0 || entries[i].revents == 0) continue;
        for (int number = 0; number < kStreams; number++) {
            drained[number] |= entries[i].fd == streams[number].fd;
            serve_followers(number, entries[i]);
        }
    }
    for (int number = 0; number < kStreams; number++)
        if (drained[number]) drain(number, kTurn);
}

void finish_streams() {
    for (int number = 0; number < kStreams; number++) {
        int there = 0;
        if (streams[number].fd >= 0) (void)sys(__NR_ioctl, streams[number].fd, FIONREAD, &there);
        // One byte more sees the end of the stream.
        drain(number, static_cast<size_t>(there) + 1, true);
        leave_behind(number);
        if (log_file.is_open() && streams[number].used > 0) log_lines(number, true);
    }
    if (log_file.is_open()) log_file.flush();
}

}  // namespace kedge::shim
