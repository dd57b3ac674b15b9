#include "runtime/containers/seccomp_policy.h"

#include <linux/capability.h>

#include <sstream>

namespace kedge::runtime {

namespace {

/// Names that a kernel or a library doesn't know are passed over.
const char* const kOrdinary =
    // files and folders
    "access chdir chmod chown chown32 close close_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 "
    "fadvise64_64 fallocate "
    "fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock "
    "fremovexattr fsetxattr "
    "fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 "
    "getxattr getxattrat "
    "lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat "
    "lstat64 mkdir "
    "mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 readahead readlink readlinkat removexattr "
    "removexattrat "
    "rename renameat renameat2 rmdir setxattr setxattrat stat stat64 statfs statfs64 statx symlink symlinkat sync "
    "sync_file_range syncfs "
    "truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes cachestat statmount listmount "
    // reading and writing
    "copy_file_range io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit pread64 "
    "preadv preadv2 "
    "pwrite64 pwritev pwritev2 read readv sendfile sendfile64 splice tee vmsplice write writev ioctl pipe pipe2 "
    // waiting
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd "
    "eventfd2 _newselect "
    "poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime "
    "timerfd_gettime64 "
    "timerfd_settime timerfd_settime64 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch fanotify_mark "
    // memory
    "brk madvise map_shadow_stack memfd_create memfd_secret membarrier mincore mlock mlock2 mlockall mmap mmap2 "
    "mprotect mremap mseal "
    "msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages process_mrelease "
    // processes and threads
    "alarm capget capset execve execveat exit exit_group fork vfork futex futex_requeue futex_time64 futex_wait "
    "futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 "
    "getgroups "
    "getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit "
    "getrusage getsid "
    "gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self lsm_get_self_attr "
    "lsm_list_modules pause pidfd_open pidfd_send_signal prctl prlimit64 ptrace process_vm_readv process_vm_writev "
    "restart_syscall rseq "
    "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 "
    "rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
    "sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield "
    "seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
    "setgroups setgroups32 "
    "setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit "
    "setsid setuid "
    "setuid32 sgetmask sigaltstack sigpending sigprocmask sigreturn sigsuspend ssetmask sysinfo tgkill times tkill "
    "ugetrlimit uname "
    "wait4 waitid waitpid uretprobe "
    // clocks
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep "
    "clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun "
    "timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 "
    // sockets; `socket` itself is below
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 "
    "recvmsg send sendmmsg "
    "sendmsg sendto setsockopt shutdown socketcall socketpair "
    // communication between processes
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink msgctl msgget "
    "msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget getrandom";

#if defined(__x86_64__)
const char* const kArchitecture = "arch_prctl modify_ldt";
#elif defined(__aarch64__)
const char* const kArchitecture = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls";
#endif

struct Privileged {
    int capability;
    const char* names;
};

const Privileged kPrivileged[] = {
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_ADMIN,
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_set_self_attr mount "
     "mount_setattr move_mount "
     "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"},
    {CAP_SYS_BOOT, "reboot"},
    {CAP_SYS_CHROOT, "chroot"},
    {CAP_SYS_MODULE, "delete_module finit_module init_module"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"},
    {CAP_SYS_RAWIO, "ioperm iopl"},
    {CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG, "syslog"},
    {38, "perf_event_open"},  // CAP_PERFMON
    {39, "bpf"},              // CAP_BPF
};

std::vector<std::string> words(const char* text) {
    std::istringstream in(text);
    std::vector<std::string> result;
    for (std::string word; in >> word;) result.push_back(word);
    return result;
}

scmp_arg_cmp compare(unsigned index, scmp_compare how, uint64_t a, uint64_t b = 0) {
    scmp_arg_cmp argument{};
    argument.arg = index;
    argument.op = how;
    argument.datum_a = a;
    argument.datum_b = b;
    return argument;
}

}  // namespace

SeccompPolicy standard_policy(CapabilityMask capabilities) {
    SeccompPolicy policy;
#if defined(__x86_64__)
    policy.architectures = {SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined(__aarch64__)
    policy.architectures = {SCMP_ARCH_ARM};
#endif
    auto& rules = policy.rules;
    rules.push_back({words(kOrdinary), SCMP_ACT_ALLOW, {}});
    rules.push_back({words(kArchitecture), SCMP_ACT_ALLOW, {}});
    for (const Privileged& entry : kPrivileged)
        if (capabilities >> entry.capability & 1) rules.push_back({words(entry.names), SCMP_ACT_ALLOW, {}});
    // Linux, Linux with a 32-bit address space, and the same without randomised addresses; all bits: what is it now?
    for (uint64_t persona : {0x0, 0x8, 0x20000, 0x20008})
        rules.push_back({{"personality"}, SCMP_ACT_ALLOW, {compare(0, SCMP_CMP_EQ, persona)}});
    rules.push_back({{"personality"}, SCMP_ACT_ALLOW, {compare(0, SCMP_CMP_EQ, 0xffffffff)}});
    rules.push_back({{"socket"}, SCMP_ACT_ALLOW, {compare(0, SCMP_CMP_NE, 40)}});  // AF_VSOCK leads to the hypervisor
    if (!(capabilities >> CAP_SYS_ADMIN & 1)) {
        // No new namespaces. clone3 has its flags in memory, where no filter sees them: libraries fall back to clone on
        // ENOSYS.
        rules.push_back({{"clone"}, SCMP_ACT_ALLOW, {compare(0, SCMP_CMP_MASKED_EQ, 0x7e020000, 0)}});
        rules.push_back({{"clone3"}, SCMP_ACT_ERRNO(38), {}});
    }
    return policy;
}

}  // namespace kedge::runtime
