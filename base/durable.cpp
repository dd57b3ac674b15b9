#include "base/durable.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

namespace kedge {

void sync_fd(int fd) {
    if (::fsync(fd) != 0) throw_errno("fsync");
}

namespace {

std::string folder_of(const std::string& name) {
    size_t slash = name.rfind('/');
    return slash == std::string::npos ? "." : name.substr(0, slash);
}

/// A file that has no name until it is whole, so that a crash leaves none behind. -1 where the file system has no such
/// files.
Fd nameless_file(int folder, unsigned mode) {
    Fd fd(::openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (!fd && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) throw_errno("make a file");
    return fd;
}

void give_name(int file, int dirfd, const std::string& name) {
    std::string descriptor = "/proc/self/fd/" + std::to_string(file);
    if (::linkat(AT_FDCWD, descriptor.c_str(), dirfd, name.c_str(), AT_SYMLINK_FOLLOW) != 0) throw_errno("name a file");
}

}  // namespace

void write_file_durably(int dirfd, const std::string& name, std::string_view data, unsigned mode) {
    // Random: what a crash left behind under a counted name would be in the way of the next process with the same
    // number.
    const std::string temporary = name + ".tmp-" + random_hex(8);
    try {
        Fd folder = open_at(dirfd, folder_of(name), O_RDONLY | O_DIRECTORY);
        Fd fd = nameless_file(folder.get(), mode);
        const bool named = !fd;
        if (named) fd = open_at(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
        write_all(fd.get(), data);
        sync_fd(fd.get());
        if (!named) give_name(fd.get(), dirfd, temporary);
        if (::renameat(dirfd, temporary.c_str(), dirfd, name.c_str()) != 0) throw_errno("rename");
        sync_fd(folder.get());
    } catch (const Error& e) {
        (void)::unlinkat(dirfd, temporary.c_str(), 0);
        throw e.with_context(name);
    }
}

void rename_durably(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to) {
    if (::renameat(from_dirfd, from.c_str(), to_dirfd, to.c_str()) != 0) throw_errno("rename " + from + " to " + to);
    for (auto [dirfd, name] : {std::pair{to_dirfd, &to}, std::pair{from_dirfd, &from}}) {
        Fd folder = open_at(dirfd, folder_of(*name), O_RDONLY | O_DIRECTORY);
        sync_fd(folder.get());
    }
}

void make_folders(int dirfd, const std::string& path, unsigned mode) {
    for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        std::string part = path.substr(0, end);
        if (::mkdirat(dirfd, part.c_str(), mode) != 0 && errno != EEXIST) throw_errno("mkdir " + part);
        if (end == std::string::npos) return;
    }
}

void make_private_folder(const std::string& path) {
    make_folders(AT_FDCWD, path, 0700);
    Fd folder = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    if (::fchmod(folder.get(), 0700) != 0) throw_errno("chmod " + path);
}

namespace {

constexpr size_t kNamesAtOnce = 1024;  // of a folder with millions of folders in it

/// A folder on the way to where the removal is.
struct Level {
    std::string name;
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> folders;  ///< in it, still to be removed
    bool read_whole = false;           ///< nothing but `folders` is left in it
};

struct stat status_of(int folder) {
    struct stat info {};
    if (::fstat(folder, &info) != 0) throw_errno("stat");
    return info;
}

/// Removes what is no folder, and notes folders, but not more than kNamesAtOnce of them.
void empty_folder(int folder, Level& level) {
    Fd fd = open_at(folder, ".", O_RDONLY | O_DIRECTORY);
    std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()), ::closedir);
    if (!dir) throw_errno("read folder");
    (void)fd.release();
    while (dirent* entry = ::readdir(dir.get())) {
        std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM) throw_errno("remove " + name);
        struct stat info {};
        if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat " + name);
        if (!S_ISDIR(info.st_mode)) throw errno_error("remove " + name, EPERM);
        level.folders.push_back(std::move(name));
        if (level.folders.size() == kNamesAtOnce) return;
    }
    level.read_whole = true;
}

/// Opens a folder that is to be removed, and enters it into `levels`.
Fd enter(int folder, std::string name, std::vector<Level>& levels) {
    Fd inner = open_at(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat info = status_of(inner.get());
    if (!levels.empty() && info.st_dev != levels.back().device) {
        throw Error(Code::conflict, "remove " + name + ": something is mounted there");
    }
    levels.push_back({std::move(name), info.st_dev, info.st_ino, {}, false});
    return inner;
}

/// Goes back up from a folder that is empty, and removes it. Not by a descriptor for each level: hostile trees are
/// deeper than that.
Fd leave(const Fd& folder, std::vector<Level>& levels) {
    Fd above = open_at(folder.get(), "..", O_RDONLY | O_DIRECTORY);
    std::string name = std::move(levels.back().name);
    levels.pop_back();
    struct stat info = status_of(above.get());
    if (info.st_dev != levels.back().device || info.st_ino != levels.back().inode) {
        throw Error(Code::conflict, "remove " + name + ": it was moved meanwhile");
    }
    if (::unlinkat(above.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) throw_errno("remove " + name);
    return above;
}

void remove_contents(int dirfd, const std::string& name) {
    std::vector<Level> levels;
    Fd folder = enter(dirfd, name, levels);
    while (true) {
        Level& level = levels.back();
        if (level.folders.empty() && !level.read_whole) empty_folder(folder.get(), level);
        if (!level.folders.empty()) {
            std::string inner = std::move(level.folders.back());
            level.folders.pop_back();
            folder = enter(folder.get(), std::move(inner), levels);
        } else if (level.read_whole) {
            if (levels.size() == 1) return;
            folder = leave(folder, levels);
        }
    }
}

}  // namespace

void remove_tree(int dirfd, const std::string& name) {
    struct stat info {};
    if (::fstatat(dirfd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return;
        throw_errno("stat " + name);
    }
    if (S_ISDIR(info.st_mode)) remove_contents(dirfd, name);
    if (::unlinkat(dirfd, name.c_str(), S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
        throw_errno("remove " + name);
    }
}

}  // namespace kedge
