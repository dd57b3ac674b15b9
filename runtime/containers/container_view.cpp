#include "runtime/containers/container_view.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/own_mounts.h"
#include "runtime/containers/bind_source.h"
#include "runtime/containers/launch_mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

namespace kedge::runtime {

namespace {

// <sys/mount.h> clashes with <linux/mount.h>.
constexpr unsigned long kNoAtime = 1024, kBind = 4096;

void change_mount(int mount, uint64_t attributes, const std::string& what) {
    mount_attr change{};
    change.attr_set = attributes;
    if (::syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &change, sizeof change) != 0) throw_errno(what);
}

void mount_at(const char* source, const char* target, const char* type, unsigned long flags, const char* options) {
    if (::syscall(SYS_mount, source, target, type, flags, options) != 0)
        throw_errno(std::string("mount ") + (type ? type : target));
}

Fd source_of(const Mount& mount) {
    check_confinement(mount);
    Fd source;
    if (mount.confined_to.empty()) {
        source = Fd(::open(mount.source.c_str(), O_PATH | O_CLOEXEC));
    } else if (bind_source_exists(mount)) {
        source = ConfinedRoot(AT_FDCWD, mount.confined_to)
                     .open_strictly(mount.source.substr(std::min(mount.source.size(), mount.confined_to.size() + 1)),
                                    O_PATH);
    }
    Fd tree = source ? copy_of_mount(source.get(), "", !mount.non_recursive) : Fd();
    if (!tree) throw_errno("mount " + mount.source + " at " + mount.target);
    return tree;
}

/// What the mount goes over; made if it is missing, as a start would.
Fd target_in(const ConfinedRoot& root, const std::string& path, bool folder) {
    try {
        return root.open(path, O_PATH);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
    }
    if (folder) return root.make_folders(path, 0755);
    size_t slash = path.rfind('/');
    Fd parent = root.make_folders(path.substr(0, slash), 0755);
    Fd made(::openat(parent.get(), path.substr(slash + 1).c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    if (!made && errno != EEXIST) throw_errno("make " + path);
    return root.open(path, O_PATH);
}

void lay_over(const ConfinedRoot& root, const Mount& mount, const Fd& tree) {
    struct stat info {};
    if (::fstat(tree.get(), &info) != 0) throw_errno("mount " + mount.source);
    Fd target = target_in(root, mount.target, S_ISDIR(info.st_mode));
    if (::syscall(SYS_move_mount, tree.get(), "", target.get(), "",
                  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        throw_errno("mount " + mount.source + " at " + mount.target);
    if (mount.read_only) change_mount(tree.get(), MOUNT_ATTR_RDONLY, "make " + mount.target + " read-only");
}

Fd mount_stopped(const StoppedRoot& container) {
    std::vector<std::pair<const Mount*, Fd>> trees;  // before the root covers anything
    for (const PlacedMount& mount : container.mounts) {
        // What is gone from the host keeps nobody from the files that are the container's own.
        if (mount.type == Mount::Type::tmpfs || (!mount.tree && !bind_source_exists(mount))) continue;
        trees.emplace_back(&mount, mount.tree ? mount.tree->duplicate() : source_of(mount));
    }
    LaunchRequest request;
    request.layers = container.layers;
    request.container_folder = container.container_folder;
    LaunchSpec spec;
    plan_root(request, spec);
    const char* place = container.container_folder.c_str();
    if (spec.overlay_options.empty()) {
        mount_at(spec.root_source.c_str(), place, nullptr, kBind, nullptr);
    } else {
        if (::chdir(spec.layers_folder.c_str()) != 0) throw_errno("open " + spec.layers_folder);
        mount_at("overlay", place, "overlay", kNoAtime, spec.overlay_options.c_str());
    }
    ConfinedRoot root(AT_FDCWD, container.container_folder);
    for (const auto& [mount, tree] : trees) lay_over(root, *mount, tree);
    if (container.read_only) change_mount(root.fd(), MOUNT_ATTR_RDONLY, "make the root read-only");
    // The namespace goes with this thread, and would take what is mounted below the root away from it.
    Fd view = copy_of_mount(root.fd(), "", true);
    if (!view) throw_errno("open the container's files");
    return view;
}

}  // namespace

Fd open_running_view(int init_pidfd, bool mounts) {
    return on_own_thread([&] {
        // setns(2) wants a thread whose root and working folder are its own.
        if (::unshare(CLONE_FS) != 0) throw_errno("unshare");
        if (::setns(init_pidfd, CLONE_NEWNS) != 0) {
            if (errno == ESRCH) return Fd();
            throw_errno("enter the container");
        }
        Fd view = copy_of_mount(AT_FDCWD, "/", mounts);
        if (!view) throw_errno("open the container's files");
        return view;
    });
}

Fd open_mount_of(int init_pidfd, const std::string& target, bool read_only) {
    return on_own_thread([&] {
        if (::unshare(CLONE_FS) != 0) throw_errno("unshare");
        if (::setns(init_pidfd, CLONE_NEWNS) != 0) {
            if (errno == ESRCH) return Fd();
            throw_errno("enter the container");
        }
        open_how how{};
        how.flags = O_PATH | O_CLOEXEC;
        how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        Fd place(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, target.c_str(), &how, sizeof how)));
        struct statx info {};
        const bool is_mount = place && ::statx(place.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &info) == 0 &&
                              (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
        if (!is_mount) return Fd();
        Fd copy = copy_of_mount(place.get(), "", false);
        if (!copy) throw_errno("open what the container has at " + target);
        mount_attr change{};
        (read_only ? change.attr_set : change.attr_clr) = MOUNT_ATTR_RDONLY;
        if (::syscall(SYS_mount_setattr, copy.get(), "", AT_EMPTY_PATH, &change, sizeof change) != 0)
            throw_errno("change the mount of " + target);
        return copy;
    });
}

Fd open_shared_memory(int init_pidfd) {
    Fd copy = open_mount_of(init_pidfd, "/dev/shm", false);
    struct statfs info {};
    if (!copy || ::fstatfs(copy.get(), &info) != 0 || info.f_type != TMPFS_MAGIC)
        throw Error(Code::conflict, "the container whose IPC namespace is to be joined has no /dev/shm any more");
    return copy;
}

Fd open_stopped_view(const StoppedRoot& root) {
    return in_own_mounts([&] { return mount_stopped(root); });
}

}  // namespace kedge::runtime
