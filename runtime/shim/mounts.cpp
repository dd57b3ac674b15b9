#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/statfs.h>

// <sys/mount.h> clashes with <linux/mount.h>.
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

namespace kedge::shim {

namespace {

constexpr unsigned kWholeTree = 0x8000;  // AT_RECURSIVE
constexpr uint64_t kProcMagic = 0x9fa0;

bool is_folder(int fd) {
    struct statx info {};
    return sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &info) == 0 && (info.stx_mode & 0170000) == 0040000;
}

long set_attributes(int mount, uint64_t attributes, uint64_t propagation, bool recursive) {
    if (attributes == 0 && propagation == 0) return 0;
    mount_attr attr{};
    attr.attr_set = attributes;
    attr.propagation = propagation;
    return sys(__NR_mount_setattr, mount, "", AT_EMPTY_PATH | (recursive ? kWholeTree : 0), &attr, sizeof attr);
}

/// What there is to change of a mount that is in its place.
long make_changes(const Start& start, const MountStep& step, int mount) {
    const MountChange* changes = start.list<MountChange>(step.changes);
    for (uint32_t i = 0; i < step.changes.count; i++) {
        mount_attr attr{};
        attr.attr_set = changes[i].set;
        attr.attr_clr = changes[i].clear;
        attr.propagation = changes[i].propagation;
        const unsigned flags = AT_EMPTY_PATH | (changes[i].recursive ? kWholeTree : 0);
        if (long result = sys(__NR_mount_setattr, mount, "", flags, &attr, sizeof attr); result < 0) return result;
    }
    return 0;
}

long attach(int mount, int target) {
    return sys(__NR_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int clone_tree(int folder, const char* path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? kWholeTree : 0) | (path[0] ? 0 : AT_EMPTY_PATH);
    return static_cast<int>(sys(__NR_open_tree, folder, path, flags));
}

/// Where a step's mount goes. Strict targets are the container's own /proc, /sys and /dev: an image that has a link
/// there is refused.
int target_of(const Start& start, const MountStep& step, bool folder) {
    const char* path = start.text(step.target);
    if (!(step.flags & kStrict)) {
        int fd = make_target(start.root, path, folder);
        struct statfs info {};
        if (fd >= 0 && !(step.flags & kProcAllowed) && sys(__NR_fstatfs, fd, &info) == 0 &&
            static_cast<uint64_t>(info.f_type) == kProcMagic) {
            close_fd(fd);
            return -EPERM;  // over a file of /proc a mount could undo what is masked there
        }
        return fd;
    }
    int fd = open_resolved(start.root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (fd != -ENOENT) return fd;
    fd = make_target(start.root, path, folder);
    if (fd >= 0) close_fd(fd);
    return open_resolved(start.root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

uint64_t mount_id(int fd) {
    struct statx info {};
    return sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) == 0 ? info.stx_mnt_id : 0;
}

/// A folder that was made for the mount gets its mode, so that it is the same at the next start. Elsewhere than in the
/// container's own file system (in a folder of the host, say) nobody else is let in.
void open_to_all(const Start& start, int folder) {
    if (mount_id(folder) != mount_id(start.root)) return;
    int fd = open_resolved(folder, ".", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH);
    if (fd < 0) return;  // the mode of the mount itself doesn't come from it
    (void)sys(__NR_fchmod, fd, 01777);
    close_fd(fd);
}

/// As `target_of`; `mode` is what the folder had that is covered.
int target_with_mode(const Start& start, const MountStep& step, unsigned* mode) {
    int there = open_resolved(start.root, start.text(step.target), O_PATH, RESOLVE_IN_ROOT);
    struct statx info {};
    *mode = there >= 0 && sys(__NR_statx, there, "", AT_EMPTY_PATH, STATX_MODE, &info) == 0 ? info.stx_mode & 07777u
                                                                                            : 01777u;
    if (there >= 0) close_fd(there);
    int target = target_of(start, step, true);
    if (there < 0 && target >= 0) open_to_all(start, target);
    return target;
}

/// `mode`: of a file system's top, if its options say none; null: the kernel's choice.
int new_filesystem(const Start& start, const MountStep& step, const char* mode = nullptr) {
    int context = static_cast<int>(sys(__NR_fsopen, start.text(step.type), FSOPEN_CLOEXEC));
    if (context < 0) return context;
    const Text* options = start.list<Text>(step.options);
    for (uint32_t i = 0; i < step.options.count; i++) {
        Text key = options[2 * i], value = options[2 * i + 1];
        long result = value ? sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, start.text(key), start.text(value), 0)
                            : sys(__NR_fsconfig, context, FSCONFIG_SET_FLAG, start.text(key), nullptr, 0);
        if (result < 0) {
            close_fd(context);
            return static_cast<int>(result);
        }
    }
    long result = mode ? sys(__NR_fsconfig, context, FSCONFIG_SET_STRING, "mode", mode, 0) : 0;
    if (result >= 0) result = sys(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
    if (result >= 0) result = sys(__NR_fsmount, context, FSMOUNT_CLOEXEC, step.attributes);
    close_fd(context);
    return static_cast<int>(result);
}

long mount_filesystem(const Start& start, const MountStep& step) {
    const bool same_mode = (step.flags & kModeOfTarget) != 0;
    unsigned mode = 0;
    int target = same_mode ? target_with_mode(start, step, &mode) : target_of(start, step, true);
    if (target < 0) fail(Stage::target, target, step.target);
    const char octal[] = {static_cast<char>('0' + (mode >> 9 & 7)), static_cast<char>('0' + (mode >> 6 & 7)),
                          static_cast<char>('0' + (mode >> 3 & 7)), static_cast<char>('0' + (mode & 7)), 0};
    int mount = new_filesystem(start, step, same_mode ? octal : nullptr);
    long result = mount < 0 ? mount : attach(mount, target);
    if (result >= 0) result = make_changes(start, step, mount);
    if (mount >= 0) close_fd(mount);
    close_fd(target);
    return result;
}

long mount_tree(const Start& start, const MountStep& step, int tree) {
    int target = target_of(start, step, is_folder(tree));
    if (target < 0) fail(Stage::target, target, step.target);
    long result = attach(tree, target);
    // After attaching: a tree that is not attached anywhere can't get a propagation on every kernel.
    const bool recursive = (step.flags & kRecursive) != 0;
    if (result >= 0) result = set_attributes(tree, step.attributes, step.propagation, recursive);
    if (result >= 0) result = make_changes(start, step, tree);
    close_fd(tree);
    close_fd(target);
    return result;
}

int open_if_there(const Start& start, const MountStep& step) {
    int fd = open_resolved(start.root, start.text(step.target), O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    return fd == -ENOENT || fd == -ENOTDIR ? -ENOENT : fd;
}

/// What was attached first of a kind, to be cloned for further ones.
struct Covers {
    int empty = -1;  ///< the empty, read-only file system that all masked folders show
    int null = -1;   ///< /dev/null, where it isn't the container's own
};

/// The container's /dev/null, which nobody else can have prepared, or the one that was handed over.
int null_cover(const Start& start, const Covers& covers, bool* first) {
    if (start.plan->null_tree < 0) return clone_tree(start.root, "dev/null", false);
    *first = covers.null < 0;
    return *first ? start.plan->null_tree : clone_tree(covers.null, "", false);
}

long mask(const Start& start, const MountStep& step, Covers* covers) {
    int target = open_if_there(start, step);
    if (target < 0) return target == -ENOENT ? 0 : target;
    int cover;
    bool first = false;
    int* kind = is_folder(target) ? &covers->empty : &covers->null;
    if (kind == &covers->null)
        cover = null_cover(start, *covers, &first);
    else if (covers->empty >= 0)
        cover = clone_tree(covers->empty, "", false);
    else {
        MountStep step_for_empty;
        step_for_empty.type = step.type;
        step_for_empty.options = step.options;
        step_for_empty.attributes = step.attributes;
        cover = new_filesystem(start, step_for_empty);
        first = true;
    }
    long result = cover < 0 ? cover : attach(cover, target);
    close_fd(target);
    if (first && result >= 0)
        *kind = cover;
    else if (cover >= 0)
        close_fd(cover);
    return result;
}

long make_read_only(const Start& start, const MountStep& step) {
    int target = open_if_there(start, step);
    if (target < 0) return target == -ENOENT ? 0 : target;
    int tree = clone_tree(target, "", true);
    long result = tree < 0 ? tree : attach(tree, target);
    if (result >= 0) result = set_attributes(tree, MOUNT_ATTR_RDONLY, 0, true);
    if (tree >= 0) close_fd(tree);
    close_fd(target);
    return result;
}

long change_attributes(const Start& start, const MountStep& step) {
    int target = open_if_there(start, step);
    if (target < 0) return target;
    long result = set_attributes(target, step.attributes, step.propagation, (step.flags & kRecursive) != 0);
    if (result >= 0) result = make_changes(start, step, target);
    close_fd(target);
    return result;
}

/// What is there already is left alone if it is the device that is wanted.
long match_node(const MountStep& step, int folder, const char* name) {
    struct statx info {};
    if (long result = sys(__NR_statx, folder, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info); result < 0) return result;
    const uint64_t device = (info.stx_rdev_minor & 0xff) | uint64_t{info.stx_rdev_major & 0xfff} << 8 |
                            uint64_t{info.stx_rdev_minor & ~0xffu} << 12;
    if ((info.stx_mode & 0170000) != (step.mode & 0170000)) return -ENOTUNIQ;
    return (step.mode & 0170000) == 0010000 || device == step.device ? 0 : -ENOTUNIQ;
}

/// Links and nodes are only made in the container's own /dev and /sys/fs/cgroup, which no image can have prepared;
/// user's devices may name folders below.
long make_entry(const Start& start, const MountStep& step) {
    const char* path = start.text(step.target);
    char parent[4096];
    size_t slash = length(path);
    while (slash > 0 && path[slash - 1] != '/') slash--;
    if (slash >= sizeof parent) return -ENAMETOOLONG;
    memcpy(parent, path, slash);
    parent[slash] = 0;
    int folder = make_target(start.root, slash > 0 ? parent : "/", true);
    if (folder < 0) return folder;
    const char* name = path + slash;
    long result;
    if (step.kind == MountKind::link)
        result = sys(__NR_symlinkat, start.text(step.source), folder, name);
    else {
        result = sys(__NR_mknodat, folder, name, step.mode, step.device);
        if (result == -EEXIST && start.has(kMatchNodes)) {
            result = match_node(step, folder, name);
            close_fd(folder);
            return result;
        }
        if (result == -EEXIST && (sys(__NR_unlinkat, folder, name, 0), true))
            result = sys(__NR_mknodat, folder, name, step.mode, step.device);
        // The umask may have taken bits, and fchmodat never follows here: the node was made by this call.
        if (result >= 0) (void)sys(__NR_fchmodat, folder, name, step.mode & 07777);
        if (result >= 0 && (step.uid || step.gid))
            result = sys(__NR_fchownat, folder, name, step.uid, step.gid, AT_SYMLINK_NOFOLLOW);
    }
    close_fd(folder);
    return result == -EEXIST ? 0 : result;
}

/// Containers write into the folder that a source is confined to: it is looked up here, by the kernel, in one go, and
/// what was found is what is mounted.
int clone_confined(const char* folder, const char* source, bool recursive) {
    int root = open_file(AT_FDCWD, folder, O_PATH | O_DIRECTORY);
    if (root < 0) return root;
    const char* inner = source + length(folder);
    while (*inner == '/') inner++;
    int fd = open_resolved(root, *inner ? inner : ".", O_PATH,
                           RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    int tree = fd < 0 ? fd : clone_tree(fd, "", recursive);
    if (fd >= 0) close_fd(fd);
    close_fd(root);
    return tree;
}

void open_sources(Start& start) {
    MountStep* steps = start.list<MountStep>(start.plan->mounts);
    for (uint32_t i = 0; i < start.plan->mounts.count; i++) {
        if (steps[i].kind != MountKind::bind || steps[i].fd >= 0) continue;
        const char* source = start.text(steps[i].source);
        bool recursive = (steps[i].flags & kRecursive) != 0;
        steps[i].fd = steps[i].confined_to ? clone_confined(start.text(steps[i].confined_to), source, recursive)
                                           : clone_tree(AT_FDCWD, source, recursive);
        if (steps[i].fd >= 0) continue;
        if (steps[i].flags & kOptional)
            warn(Stage::source, steps[i].fd, steps[i].source);
        else
            fail(Stage::source, steps[i].fd, steps[i].source);
    }
}

constexpr unsigned long kRecursiveMount = 16384, kPrivateMount = 1 << 18,
                        kBindMount = 4096;  // MS_REC, MS_PRIVATE, MS_BIND

long mount_root(const Start& start) {
    const char* root = start.text(start.plan->root_folder);
    if (!start.plan->overlay_options)
        return sys(__NR_mount, start.text(start.plan->root_source), root, nullptr, kBindMount, nullptr);
    if (long result = sys(__NR_chdir, start.text(start.plan->layers_folder)); result < 0) return result;
    return sys(__NR_mount, "overlay", root, "overlay", 0, start.text(start.plan->overlay_options));
}

}  // namespace

void enter_root(Start& start) {
    // Cloned before propagation is cut, so that a bind that asks for it can stay a peer or a slave of the host's mount.
    open_sources(start);
    long result = sys(__NR_mount, nullptr, "/", nullptr, kRecursiveMount | kPrivateMount, nullptr);
    if (result < 0) fail(Stage::pivot, result);
    result = mount_root(start);
    if (result < 0) fail(Stage::root, result, start.plan->root_folder);
    result = sys(__NR_chdir, start.text(start.plan->root_folder));
    if (result >= 0) result = sys(__NR_pivot_root, ".", ".");  // the old root then lies over the new one
    if (result >= 0) result = sys(__NR_umount2, ".", MNT_DETACH);
    if (result >= 0) result = sys(__NR_chdir, "/");
    if (result < 0) fail(Stage::pivot, result);
    start.root = open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    if (start.root < 0) fail(Stage::pivot, start.root);
}

void attach_root(Start& start) {
    const char* folder = start.text(start.plan->root_folder);
    long result = sys(__NR_mount, nullptr, "/", nullptr, kRecursiveMount | kPrivateMount, nullptr);
    if (result < 0) fail(Stage::pivot, result);
    int target = open_file(AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    start.root = start.plan->root_tree;
    const uint64_t slave = 1 << 19, propagation = start.plan->root_propagation;  // MS_SLAVE
    result = target < 0 ? target : attach(start.root, target);
    if (result >= 0)
        result = set_attributes(start.root, 0, propagation == slave ? slave : uint64_t{kPrivateMount}, true);
    if (result < 0) fail(Stage::root, result, start.plan->root_folder);
    close_fd(target);
}

void leave_host(const Start& start) {
    long result = sys(__NR_fchdir, start.root);
    if (result >= 0) result = sys(__NR_pivot_root, ".", ".");
    if (result >= 0) result = sys(__NR_umount2, ".", MNT_DETACH);
    if (result >= 0) result = sys(__NR_chdir, "/");
    // A shared root would have kept the old one from going.
    if (result >= 0) result = set_attributes(start.root, 0, start.plan->root_propagation, false);
    if (result < 0) fail(Stage::pivot, result);
}

void seal_root(const Start& start) {
    if (!start.has(kReadOnlyRoot)) return;
    if (long result = set_attributes(start.root, MOUNT_ATTR_RDONLY, 0, false); result < 0)
        fail(Stage::root, result, start.plan->root_folder);
}

void show_console(const Start& start, unsigned number) {
    char name[32];
    Line path(name, sizeof name);
    path.add("dev/pts/").number(number);
    int target = make_target(start.root, "/dev/console", false);
    int tree = clone_tree(start.root, name, false);
    long result = target < 0 ? target : tree < 0 ? tree : attach(tree, target);
    if (result < 0) fail(Stage::terminal, result);
    close_fd(tree);
    close_fd(target);
}

namespace {

long do_step(const Start& start, const MountStep& step, Covers* covers) {
    switch (step.kind) {
        case MountKind::filesystem: return mount_filesystem(start, step);
        case MountKind::bind: return step.fd < 0 ? 0 : mount_tree(start, step, step.fd);
        case MountKind::mask: return mask(start, step, covers);
        case MountKind::read_only: return make_read_only(start, step);
        case MountKind::attributes: return change_attributes(start, step);
        case MountKind::link:
        case MountKind::node: return make_entry(start, step);
    }
    return -EINVAL;
}

void do_steps(const Start& start, bool covers) {
    const MountStep* steps = start.list<MountStep>(start.plan->mounts);
    Covers made;
    for (uint32_t i = 0; i < start.plan->mounts.count; i++) {
        const MountStep& step = steps[i];
        if ((step.kind == MountKind::mask || step.kind == MountKind::read_only) != covers) continue;
        long result = do_step(start, step, &made);
        if (result >= 0) continue;
        if (step.flags & kOptional)
            warn(Stage::mount, result, step.target);
        else
            fail(step.kind == MountKind::node ? Stage::device : Stage::mount, result, step.target);
    }
    if (made.empty >= 0) close_fd(made.empty);
    if (made.null >= 0) close_fd(made.null);
}

}  // namespace

void mount_all(const Start& start) {
    do_steps(start, false);
}

void cover_all(const Start& start) {
    do_steps(start, true);
}

}  // namespace kedge::shim
