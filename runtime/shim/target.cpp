#include "runtime/shim/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>

namespace kedge::shim {

namespace {

/// A walk through a hostile tree: `done` has no links in it and exists, `rest` is what is still to be walked.
/// Every step is opened by the kernel with the root as root, so that a wrong turn ends inside it.
struct Walk {
    int root;
    char done[PATH_MAX];
    size_t done_size = 0;
    char rest[PATH_MAX];
    int links = 0;
};

/// Puts the link's text in front of what is left to walk.
int follow(Walk& walk, int link, size_t walked) {
    char text[PATH_MAX];
    text[0] = 0;
    long size = sys(__NR_readlinkat, link, "", text, sizeof text);
    if (size < 0) return static_cast<int>(size);
    size_t left = length(walk.rest + walked);
    if (++walk.links > 40) return -ELOOP;
    if (static_cast<size_t>(size) + left + 2 > sizeof walk.rest) return -ENAMETOOLONG;
    memmove(walk.rest + size + 1, walk.rest + walked, left + 1);
    memcpy(walk.rest, text, static_cast<size_t>(size));
    walk.rest[size] = '/';
    if (text[0] == '/') walk.done[walk.done_size = 0] = 0;
    return 0;
}

void step_up(Walk& walk) {
    while (walk.done_size > 0 && walk.done[walk.done_size - 1] != '/') walk.done_size--;
    if (walk.done_size > 0) walk.done_size--;
    walk.done[walk.done_size] = 0;
}

int make_one(const Walk& walk, const char* name, bool folder) {
    int parent = open_resolved(walk.root, walk.done_size ? walk.done : ".", O_PATH | O_DIRECTORY,
                               RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (parent < 0) return parent;
    long result = folder ? sys(__NR_mkdirat, parent, name, 0755) : sys(__NR_mknodat, parent, name, 0100644, 0);
    close_fd(parent);
    return result == -EEXIST ? 0 : static_cast<int>(result);
}

bool is_link(int fd) {
    struct statx info {};
    return sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &info) == 0 && (info.stx_mode & 0170000) == 0120000;
}

/// Opens what `name` is in the folder walked so far, whose path then is `done` cut back to `before`.
int open_next(Walk& walk, size_t before) {
    walk.done[before] = '/';
    int fd = open_resolved(walk.root, walk.done, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT);
    walk.done[before] = 0;
    return fd;
}

/// One component: 1 when `done` is longer by it, 0 when it was a link and `rest` is new.
int walk_step(Walk& walk, const char* name, size_t walked, bool folder) {
    size_t before = walk.done_size, size = length(name);
    if (before + 1 + size >= sizeof walk.done) return -ENAMETOOLONG;
    memcpy(walk.done + before + 1, name, size + 1);
    walk.done[before] = 0;
    int fd = open_next(walk, before);
    if (fd == -ENOENT) {
        if (int error = make_one(walk, name, folder); error < 0) return error;
        fd = open_next(walk, before);
    }
    if (fd < 0) return fd;
    bool link = is_link(fd);
    int error = link ? follow(walk, fd, walked) : 0;
    close_fd(fd);
    if (link) return error;
    walk.done[before] = '/';
    walk.done_size = before + 1 + size;
    return 1;
}

/// The usual case: only the last component is missing, and no link is on the way. Negative: it is another one.
int make_last(int root, const char* path, bool folder) {
    size_t name = length(path);
    while (name > 0 && path[name - 1] != '/') name--;
    char parent[PATH_MAX];
    if (name == 0 || name >= sizeof parent || path[name] == 0 || path[name] == '.') return -EINVAL;
    memcpy(parent, path, name);
    parent[name] = 0;
    int above = open_resolved(root, parent, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (above < 0) return above;
    long made =
        folder ? sys(__NR_mkdirat, above, path + name, 0755) : sys(__NR_mknodat, above, path + name, 0100644, 0);
    int fd = made < 0 ? static_cast<int>(made)
                      : open_resolved(above, path + name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    close_fd(above);
    return fd;
}

}  // namespace

int make_target(int root, const char* path, bool folder) {
    int found = open_resolved(root, path, O_PATH, RESOLVE_IN_ROOT);
    if (found != -ENOENT) return found;
    if (int made = make_last(root, path, folder); made >= 0) return made;
    Walk walk;
    walk.root = root;
    walk.done[0] = 0;
    if (length(path) + 1 > sizeof walk.rest) return -ENAMETOOLONG;
    memcpy(walk.rest, path, length(path) + 1);
    while (true) {
        size_t begin = 0;
        while (walk.rest[begin] == '/') begin++;
        size_t end = begin;
        while (walk.rest[end] && walk.rest[end] != '/') end++;
        if (begin == end) break;
        char name[NAME_MAX + 1];
        if (end - begin > NAME_MAX) return -ENAMETOOLONG;
        memcpy(name, walk.rest + begin, end - begin);
        name[end - begin] = 0;
        size_t next = end;
        while (walk.rest[next] == '/') next++;
        bool last = walk.rest[next] == 0;
        if (equal(name, ".."))
            step_up(walk);
        else if (!equal(name, ".")) {
            int result = walk_step(walk, name, end, folder || !last);
            if (result < 0) return result;
            if (result == 0) continue;  // a link: `rest` is new
        }
        memmove(walk.rest, walk.rest + end, length(walk.rest + end) + 1);
    }
    return open_resolved(root, walk.done_size ? walk.done : ".", O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

}  // namespace kedge::shim
