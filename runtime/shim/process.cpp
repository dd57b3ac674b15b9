#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <linux/stat.h>
#include <signal.h>
#include <sys/ioctl.h>

namespace kedge::shim {

void join_cgroups(const Start& start) {
    const Text* files = start.list<Text>(start.plan->cgroups);
    for (uint32_t i = 0; i < start.plan->cgroups.count; i++) {
        int fd = open_file(AT_FDCWD, start.text(files[i]), O_WRONLY);
        long result = fd < 0 ? fd : write_whole(fd, "0", 1);
        if (fd >= 0) close_fd(fd);
        if (result < 0) fail(Stage::cgroup, result, files[i]);
    }
    if (!start.has(kNewCgroupNamespace)) return;
    if (long result = sys(__NR_unshare, CLONE_NEWCGROUP); result < 0) fail(Stage::cgroup, result);
}

void join_namespaces(const Start& start) {
    const Join* joins = start.list<Join>(start.plan->joins);
    for (uint32_t i = 0; i < start.plan->joins.count; i++) {
        if (joins[i].type == CLONE_NEWPID) continue;  // takes effect for children only: the shim has done it
        if (long result = sys(__NR_setns, joins[i].fd, joins[i].type); result < 0) fail(Stage::join, result);
    }
}

namespace {

long write_to(const char* path, const char* text) {
    int fd = open_file(AT_FDCWD, path, O_WRONLY);
    long result = fd < 0 ? fd : write_whole(fd, text, length(text));
    if (fd >= 0) close_fd(fd);
    return result;
}

}  // namespace

void change_profile(const Start& start) {
    if (!start.plan->apparmor_profile) return;
    char buffer[4096];
    Line text(buffer, sizeof buffer);
    text.add("exec ").add(start.text(start.plan->apparmor_profile));
    // Kernels with several security modules have a folder for each.
    long result = text.overflowed() ? -ENAMETOOLONG : write_to("/proc/self/attr/apparmor/exec", buffer);
    if (result == -ENOENT) result = write_to("/proc/self/attr/exec", buffer);
    if (result < 0) fail(Stage::apparmor, result, start.plan->apparmor_profile);
}

void change_personality(const Start& start) {
    if (start.has(kSetPersonality)) (void)sys(__NR_personality, start.plan->personality);
}

void name_host(const Start& start) {
    if (!start.has(kSetHostname)) return;
    const char* name = start.text(start.plan->hostname);
    long result = start.plan->hostname ? sys(__NR_sethostname, name, length(name)) : 0;
    if (result >= 0 && start.plan->domainname) {
        const char* domain = start.text(start.plan->domainname);
        result = sys(__NR_setdomainname, domain, length(domain));
    }
    if (result < 0) fail(Stage::hostname, result, start.plan->hostname);
}

void write_sysctls(const Start& start) {
    const Setting* settings = start.list<Setting>(start.plan->sysctls);
    for (uint32_t i = 0; i < start.plan->sysctls.count; i++) {
        int fd =
            open_resolved(start.root, start.text(settings[i].path), O_WRONLY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
        const char* value = start.text(settings[i].value);
        long result = fd < 0 ? fd : write_whole(fd, value, length(value));
        if (fd >= 0) close_fd(fd);
        if (result < 0 && !settings[i].optional) fail(Stage::sysctl, result, settings[i].path);
    }
}

void connect_streams(const Start& start) {
    const int ends[] = {start.in_read, start.out_write, start.err_write};
    for (int i = 0; i < 3; i++)
        if (ends[i] >= 0) (void)sys(__NR_dup3, ends[i], i, 0);
    // /dev/stdout leads to the pipe's inode, which the process must be allowed to open again.
    for (int i = 0; i < 3 && start.plan->uid != 0; i++) {
        struct statx info {};
        if (sys(__NR_statx, i, "", AT_EMPTY_PATH, STATX_TYPE, &info) == 0 && (info.stx_mode & 0170000) == 0010000)
            (void)sys(__NR_fchown, i, start.plan->uid, -1);
    }
}

void set_limits(const Start& start) {
    const Limit* limits = start.list<Limit>(start.plan->limits);
    for (uint32_t i = 0; i < start.plan->limits.count; i++) {
        uint64_t values[2] = {limits[i].soft, limits[i].hard};
        long result = sys(__NR_prlimit64, 0, limits[i].resource, values, nullptr);
        if (result < 0 && start.has(kStrictLimits)) fail(Stage::limit, result);
        if (result < 0) warn(Stage::limit, result);
    }
    if (!start.has(kSetOomScore)) return;
    char text[16];
    Line line(text, sizeof text);
    int64_t score = start.plan->oom_score_adj;
    if (score < 0) line.add("-");
    line.number(static_cast<uint64_t>(score < 0 ? -score : score));
    int fd = open_file(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY);
    long result = fd < 0 ? fd : write_whole(fd, text, line.size());
    if (fd >= 0) close_fd(fd);
    if (result < 0 && score != 0)
        warn(Stage::oom_score, result);  // 0 was not asked for: the agent's own is higher then
}

void enter_working_dir(const Start& start) {
    const char* path = start.text(start.plan->working_dir);
    int root = start.root >= 0 ? start.root : open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    int folder =
        start.has(kMakeWorkingDir) ? make_target(root, path, true) : open_resolved(root, path, O_PATH, RESOLVE_IN_ROOT);
    // By descriptor that was opened without magic links: a path such as /proc/self/fd/7 leads nowhere else.
    long result = folder < 0 ? folder : sys(__NR_fchdir, folder);
    if (result < 0) fail(Stage::working_dir, result, start.plan->working_dir);
    close_fd(folder);
}

namespace {

constexpr int kLastCapability = 63;
constexpr int kMayExecute = 1;  // X_OK

long drop_bounding(uint64_t keep) {
    for (int i = 0; i <= kLastCapability; i++) {
        if (keep >> i & 1) continue;
        long result = sys(__NR_prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
        if (result == -EINVAL) return 0;  // past the kernel's last one
        if (result < 0) return result;
    }
    return 0;
}

struct Sets {
    uint64_t effective, permitted, inheritable;
};

/// Without sets of its own: exec gives root the bounding set and others nothing, so this only has to clear what could
/// be inherited. CAP_SYS_ADMIN is kept for loading the filter, and goes with exec.
Sets wanted_sets(const Start& start) {
    const Plan& plan = *start.plan;
    const uint64_t admin = uint64_t{1} << CAP_SYS_ADMIN;
    if (start.has(kExactCapabilities)) {
        uint64_t kept = plan.seccomp.count > 0 && !start.has(kNoNewPrivileges) ? admin : 0;
        return {plan.effective | kept, plan.permitted | kept, plan.inheritable};
    }
    uint64_t own = plan.uid == 0 ? plan.capabilities : 0;
    return {own | admin, own | admin, 0};
}

long set_capabilities(const Sets& wanted) {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2];
    if (long result = sys(__NR_capget, &head, data); result < 0) return result;
    for (int i = 0; i < 2; i++) {
        data[i].inheritable = static_cast<uint32_t>(wanted.inheritable >> (32 * i));
        data[i].permitted &= static_cast<uint32_t>(wanted.permitted >> (32 * i));
        data[i].effective = data[i].permitted & static_cast<uint32_t>(wanted.effective >> (32 * i));
    }
    return sys(__NR_capset, &head, data);
}

/// What stays when a program is executed that isn't root's.
void raise_ambient(uint64_t ambient) {
    for (int i = 0; i <= kLastCapability; i++) {
        if (!(ambient >> i & 1)) continue;
        long result = sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
        if (result < 0) warn(Stage::capabilities, result);
    }
}

long install_filter(const Start& start) {
    if (start.has(kNoNewPrivileges)) {
        if (long result = sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); result < 0) return result;
    }
    if (start.plan->seccomp.count == 0) return 0;
    sock_fprog program{};
    program.len = static_cast<unsigned short>(start.plan->seccomp.count);
    program.filter = start.list<sock_filter>(start.plan->seccomp);
    return sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, start.plan->seccomp_flags, &program);
}

}  // namespace

void become_user(const Start& start) {
    const Plan& plan = *start.plan;
    if (!start.has(kKeepUmask)) (void)sys(__NR_umask, plan.umask);
    if (long result = drop_bounding(plan.capabilities); result < 0) fail(Stage::capabilities, result);
    (void)sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (plan.uid != 0) (void)sys(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
    long result = sys(__NR_setgroups, plan.groups.count, start.list<uint32_t>(plan.groups));
    if (result >= 0) result = sys(__NR_setresgid, plan.gid, plan.gid, plan.gid);
    if (result >= 0) result = sys(__NR_setresuid, plan.uid, plan.uid, plan.uid);
    if (result < 0) fail(Stage::user, result);
    result = set_capabilities(wanted_sets(start));
    if (result < 0) fail(Stage::capabilities, result);
    raise_ambient(plan.ambient);
    (void)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);  // changing ids may have set it
}

void load_filter(const Start& start) {
    const long result = install_filter(start);
    if (result < 0) fail(Stage::seccomp, result);
    if (start.plan->seccomp.count == 0 || !(start.plan->seccomp_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)) return;
    // By a call that the filter itself lets through: who asks for the listener has seen to that.
    Message message;
    message.kind = MessageKind::listening;
    tell(message, static_cast<int>(result));
    close_fd(static_cast<int>(result));
    await_go();  // somebody decides from now on
}

void become_namespace_root(const Start& start) {
    if (!start.has(kUserNamespace)) return;
    long result = sys(__NR_setgroups, 0, nullptr);
    if (result >= 0) result = sys(__NR_setresgid, 0, 0, 0);
    if (result >= 0) result = sys(__NR_setresuid, 0, 0, 0);
    if (result < 0) fail(Stage::user, result);
    (void)sys(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

namespace {

char** pointers(const Start& start, List list) {
    uint64_t* slots = start.list<uint64_t>(list);
    for (uint32_t i = 0; i < list.count; i++) slots[i] += reinterpret_cast<uint64_t>(start.base);
    slots[list.count] = 0;
    return reinterpret_cast<char**>(slots);
}

/// Calls `found` with each name that the program may have, as a shell does it: in every folder of PATH in turn, until
/// it says true.
template <typename Found>
bool look_in_path(const Start& start, const char* name, Found found) {
    const char* search = start.text(start.plan->search_path);
    char path[PATH_MAX];
    while (true) {
        size_t size = 0;
        while (search[size] && search[size] != ':') size++;
        Line line(path, sizeof path);
        if (size > 0) line.add(search, size).add("/");
        line.add(name);
        if (!line.overflowed() && found(path)) return true;
        if (search[size] == 0) return false;
        search += size + 1;
    }
}

[[noreturn]] void execute_from_path(const Start& start, const char* name, char** arguments, char** environment) {
    (void)look_in_path(start, name, [&](const char* path) {
        long result = sys(__NR_execve, path, arguments, environment);
        // It is there but can't be run: that is the answer. Folders and files that aren't executable are passed over.
        if (result != -ENOENT && result != -EACCES && result != -ENOTDIR) fail(Stage::exec, result);
        return false;
    });
    fail(Stage::exec_path, -ENOENT);
}

/// The caller's descriptors in the places where the program looks for them. The agent's makes room first.
void place_preserved(const Start& start) {
    const int count = static_cast<int>(start.plan->preserved);
    if (count == 0) return;
    const int first = start.plan->first_preserved;
    move_agent(first + count);
    // Each goes to a lower number than it has, and never onto one that is still to be moved.
    for (int i = 0; i < count; i++) {
        long result = sys(__NR_dup3, first + i, kPlanFd + i, 0);
        if (result < 0) fail(Stage::exec, result);
    }
}

bool is_folder(const char* path) {
    struct statx info {};
    return sys(__NR_statx, AT_FDCWD, path, 0, STATX_TYPE, &info) == 0 && (info.stx_mode & 0170000) == 0040000;
}

bool executable_in_path(const Start& start, const char* name) {
    return look_in_path(start, name, [](const char* path) {
        return sys(__NR_faccessat, AT_FDCWD, path, kMayExecute) == 0 && !is_folder(path);
    });
}

}  // namespace

void check_executable(const Start& start) {
    if (start.plan->executable) return;
    const char* name = start.base + start.list<uint64_t>(start.plan->arguments)[0];
    if (!contains(name, '/')) {
        if (!executable_in_path(start, name)) fail(Stage::exec_path, -ENOENT);
        return;
    }
    long result = sys(__NR_faccessat, AT_FDCWD, name, kMayExecute);
    if (result >= 0 && is_folder(name)) result = -EISDIR;
    if (result < 0) fail(Stage::exec, result);
}

void execute(const Start& start) {
    char** arguments = pointers(start, start.plan->arguments);
    char** environment = pointers(start, start.plan->environment);
    Message message;
    message.kind = MessageKind::executing;
    tell(message);
    uint64_t none = 0;
    (void)sys(__NR_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
    place_preserved(start);
    if (start.plan->executable)
        fail(Stage::exec, sys(__NR_execve, start.text(start.plan->executable), arguments, environment));
    if (!contains(arguments[0], '/')) execute_from_path(start, arguments[0], arguments, environment);
    long result = sys(__NR_execve, arguments[0], arguments, environment);
    if (result == -EACCES && is_folder(arguments[0])) result = -EISDIR;
    fail(Stage::exec, result);
}

}  // namespace kedge::shim
