#include "runtime/containers/spawn.h"

#include "base/error.h"
#include "runtime/containers/process_tree.h"
#include "runtime/shim/sys.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace kedge::runtime {

namespace {

using shim::sys;

constexpr int kNotStarted = 127;

/// No signal handler runs on this thread while this lives.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_;
};

Fd open_own() {
    Fd own(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    if (!own) throw_errno("open the own process");
    return own;
}

/// What this thread starts while this lives is in another process namespace.
class ChildrenElsewhere {
public:
    explicit ChildrenElsewhere(int pidfd) : elsewhere_(pidfd >= 0) {
        if (!elsewhere_) return;
        static const Fd own = open_own();  // before, as it has to be there afterwards
        own_ = own.get();
        if (::setns(pidfd, CLONE_NEWPID) != 0) throw_errno("join the process namespace");
    }
    ~ChildrenElsewhere() {
        constexpr int kAttempts = 100, kPause = 10;  // milliseconds; nothing but a lack of memory keeps it from that
        for (int i = 0; elsewhere_ && i < kAttempts; ++i) {
            if (::setns(own_, CLONE_NEWPID) == 0) return;
            (void)::poll(nullptr, 0, kPause);
        }
        // A thread whose children are born in a container is of no use, and not to be trusted with anything.
        if (elsewhere_) std::abort();
    }
    ChildrenElsewhere(const ChildrenElsewhere&) = delete;
    ChildrenElsewhere& operator=(const ChildrenElsewhere&) = delete;

private:
    bool elsewhere_;
    int own_ = -1;
};

struct NewProgram {
    const char* path;
    char** arguments;
    char** environment;
    int* descriptors;
    int count;
    volatile long error;  ///< of the first call that has failed, negative
};

/// In the new process, with the memory of the old one and on its stack, while that waits: nothing but system calls.
[[noreturn, gnu::noinline]] void become(NewProgram& program) {
    // First out of the way of the places that they go to, so that none is overwritten before it is copied.
    constexpr int kOutOfTheWay = 32;
    for (int i = 0; i < program.count; i++) {
        const long copy = sys(__NR_fcntl, program.descriptors[i], F_DUPFD_CLOEXEC, kOutOfTheWay);
        if (copy < 0) program.error = copy;
        program.descriptors[i] = static_cast<int>(copy);
    }
    for (int i = 0; i < program.count && program.error == 0; i++) {
        const long placed = sys(__NR_dup3, program.descriptors[i], i, 0);
        if (placed < 0) program.error = placed;
    }
    if (program.error == 0) program.error = sys(__NR_execve, program.path, program.arguments, program.environment);
    shim::leave(kNotStarted);
}

}  // namespace

Spawned spawn_shim(const std::string& program, const char* argument, const std::vector<int>& descriptors,
                   const Birth& birth) {
    std::string name = "kedge-shim", mode = argument;
    char* arguments[] = {name.data(), mode.data(), nullptr};
    char* environment[] = {nullptr};
    std::vector<int> places = descriptors;
    NewProgram start{program.c_str(), arguments, environment, places.data(), static_cast<int>(places.size()), 0};
    int pidfd = -1;
    clone_args how{};
    how.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    how.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    how.exit_signal = SIGCHLD;
    Fd group;
    if (!birth.cgroup_folder.empty()) {
        group = open_at(AT_FDCWD, birth.cgroup_folder, O_PATH | O_DIRECTORY);
        how.flags |= CLONE_INTO_CGROUP;
        how.cgroup = static_cast<uint64_t>(group.get());
    }
    long pid = 0;
    {
        SignalsBlocked blocked;
        ChildrenElsewhere elsewhere(birth.process_namespace);
        pid = shim::call(__NR_clone3, shim::word(&how), sizeof how);
        if (pid == 0) become(start);
    }
    if (pid < 0) throw errno_error("start " + program, static_cast<int>(-pid));
    Spawned spawned{static_cast<int>(pid), Fd(pidfd)};
    if (start.error == 0) return spawned;
    (void)::waitpid(spawned.pid, nullptr, 0);
    throw errno_error("start " + program, static_cast<int>(-start.error));
}

std::optional<int> Child::exit_code() {
    std::lock_guard lock(mutex_);
    if (exit_code_) return exit_code_;
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.pidfd.get()), &info,
                    WEXITED | WNOHANG) != 0) {
        if (errno != EINTR) throw_errno("wait for a process");
    }
    if (info.si_pid == 0) return std::nullopt;
    exit_code_ = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return exit_code_;
}

void Child::kill_with_descendants() {
    std::lock_guard lock(mutex_);
    if (!exit_code_) kill_tree(process_.pid);
}

}  // namespace kedge::runtime
