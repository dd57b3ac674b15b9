#include "runtime/oci/trees.h"

#include "base/error.h"
#include "runtime/oci/plan.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kedge::oci {

namespace {

constexpr unsigned kWholeTree = 0x8000;  // AT_RECURSIVE

/// A user namespace with a mapping, which needs somebody who lives in it until it is opened.
Fd make_user_namespace(const IdMappings& mappings) {
    const long pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid < 0) throw_errno("make a user namespace");
    if (pid == 0) {
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (true) (void)::pause();
    }
    Fd result;
    std::exception_ptr failure;
    try {
        write_id_mappings(mappings, static_cast<int>(pid));
        result = open_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/user", O_RDONLY);
    } catch (...) {
        failure = std::current_exception();
    }
    (void)::kill(static_cast<pid_t>(pid), SIGKILL);
    (void)::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    if (failure) std::rethrow_exception(failure);
    return result;
}

}  // namespace

Fd open_tree(const std::string& path, bool recursive) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? kWholeTree : 0);
    Fd tree(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), flags)));
    if (!tree) throw_errno(path);
    return tree;
}

void map_ids(int tree, const IdMappings& mappings, bool recursive) {
    Fd user = make_user_namespace(mappings);
    mount_attr change{};
    change.attr_set = MOUNT_ATTR_IDMAP;
    change.userns_fd = static_cast<uint64_t>(user.get());
    if (::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | (recursive ? kWholeTree : 0), &change, sizeof change) !=
        0)
        throw_errno("map the owners of its files");
}

}  // namespace kedge::oci
