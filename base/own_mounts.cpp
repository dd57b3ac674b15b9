#include "base/own_mounts.h"

#include "base/error.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <exception>
#include <thread>

namespace kedge {

namespace {

constexpr unsigned kWholeTree = 0x8000;  // AT_RECURSIVE
// <sys/mount.h> clashes with <linux/mount.h>.
constexpr unsigned long kRecursive = 16384, kPrivate = 1 << 18;

}  // namespace

Fd on_own_thread(const std::function<Fd()>& work) {
    Fd result;
    std::exception_ptr failure;
    std::thread([&] {
        try {
            result = work();
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
    return result;
}

Fd in_own_mounts(const std::function<Fd()>& work) {
    return on_own_thread([&] {
        if (::unshare(CLONE_NEWNS) != 0) throw_errno("unshare");
        if (::syscall(SYS_mount, nullptr, "/", nullptr, kRecursive | kPrivate, nullptr) != 0)
            throw_errno("make mounts private");
        return work();
    });
}

Fd copy_of_mount(int folder, const char* path, bool with_others) {
    unsigned flags =
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (with_others ? kWholeTree : 0) | (path[0] ? 0 : AT_EMPTY_PATH);
    return Fd(static_cast<int>(::syscall(SYS_open_tree, folder, path, flags)));
}

}  // namespace kedge
