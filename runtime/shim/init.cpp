#include "runtime/shim/modes.h"
#include "runtime/shim/sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

namespace kedge::shim {

namespace {

using SignalSet = uint64_t;  // the kernel's sigset_t

/// Blocks until a signal comes.
int next_signal(const SignalSet& all) {
    long signal = sys(__NR_rt_sigtimedwait, &all, nullptr, nullptr, sizeof all);
    return signal < 0 ? 0 : static_cast<int>(signal);
}

/// Reaps whatever has ended. True with the exit code once that is `child`.
bool reap(long child, int* code) {
    int status = 0;
    bool ended = false;
    while (true) {
        long pid = sys(__NR_wait4, -1, &status, WNOHANG, nullptr);
        if (pid <= 0) return ended;
        if (pid != child) continue;
        ended = true;
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

int cannot_execute(const char* name, long error) {
    char text[4352];
    Line line(text, sizeof text);
    line.add("exec ").add(name).add(error == -ENOENT ? ": no such file or directory\n" : ": permission denied\n");
    (void)write_whole(2, text, line.size());
    return error == -ENOENT ? 127 : 126;
}

int execute(char** arguments, char** environment) {
    const char* name = arguments[0];
    if (contains(name, '/')) return cannot_execute(name, sys(__NR_execve, name, arguments, environment));
    const char* search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (char** entry = environment; *entry; entry++)
        if (length(*entry) > 5 && memcmp(*entry, "PATH=", 5) == 0) search = *entry + 5;
    char path[4096];
    long last = -ENOENT;
    while (true) {
        size_t size = 0;
        while (search[size] && search[size] != ':') size++;
        Line line(path, sizeof path);
        line.add(search, size).add("/").add(name);
        long error = line.overflowed() ? -ENOENT : sys(__NR_execve, path, arguments, environment);
        if (error != -ENOENT && error != -ENOTDIR) last = error;
        if (search[size] == 0) return cannot_execute(name, last);
        search += size + 1;
    }
}

}  // namespace

int run_as_init(int count, char** arguments, char** environment) {
    int first = count > 1 && equal(arguments[1], "--") ? 2 : 1;
    if (first >= count) return 2;
    // Faults of the init itself must stay deadly.
    const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
    SignalSet all = ~SignalSet{0};
    for (int signal : faults) all &= ~(SignalSet{1} << (signal - 1));
    SignalSet before = 0;
    (void)sys(__NR_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof all);
#if defined(__aarch64__)
    long child = sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
#else
    long child = sys(__NR_fork);
#endif
    if (child == 0) {
        (void)sys(__NR_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
        leave(execute(arguments + first, environment));
    }
    if (child < 0) return 1;
    while (true) {
        int signal = next_signal(all);
        int code = 0;
        if (signal == SIGCHLD) {
            if (reap(child, &code)) return code;
        } else if (signal > 0) {
            (void)sys(__NR_kill, child, signal);
        }
    }
}

}  // namespace kedge::shim
