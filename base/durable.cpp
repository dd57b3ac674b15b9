#include "base/durable.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>

namespace kedge {

void sync_fd(int fd) {
    if (::fsync(fd) != 0) throw_errno("fsync");
}

void write_file_durably(int dirfd, const std::string& name, std::string_view data, unsigned mode) {
    static std::atomic<unsigned> counter;
    std::string temporary = name + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
    try {
        Fd fd = open_at(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
        write_all(fd.get(), data);
        sync_fd(fd.get());
        if (::renameat(dirfd, temporary.c_str(), dirfd, name.c_str()) != 0) throw_errno("rename");
    } catch (const Error& e) {
        (void)::unlinkat(dirfd, temporary.c_str(), 0);
        throw e.with_context(name);
    }
    Fd folder = open_at(dirfd, name.find('/') == std::string::npos ? "." : name.substr(0, name.rfind('/')),
                        O_RDONLY | O_DIRECTORY);
    sync_fd(folder.get());
}

void rename_durably(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to) {
    if (::renameat(from_dirfd, from.c_str(), to_dirfd, to.c_str()) != 0) throw_errno("rename " + from + " to " + to);
    for (auto [dirfd, name] : {std::pair{to_dirfd, &to}, std::pair{from_dirfd, &from}}) {
        size_t slash = name->rfind('/');
        Fd folder = open_at(dirfd, slash == std::string::npos ? "." : name->substr(0, slash), O_RDONLY | O_DIRECTORY);
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

void remove_contents(Fd folder, dev_t device) {
    int fd = folder.release();
    std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd), ::closedir);
    if (!dir) {
        (void)::close(fd);
        throw_errno("read folder");
    }
    while (dirent* entry = ::readdir(dir.get())) {
        std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (::unlinkat(fd, name.c_str(), 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM) throw_errno("remove " + name);
        struct stat info {};
        if (::fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat " + name);
        if (!S_ISDIR(info.st_mode)) {
            errno = EPERM;
            throw_errno("remove " + name);
        }
        if (info.st_dev != device) throw Error(Code::conflict, "remove " + name + ": something is mounted there");
        remove_contents(open_at(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), device);
        if (::unlinkat(fd, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) throw_errno("remove " + name);
    }
}

}  // namespace

void remove_tree(int dirfd, const std::string& name) {
    struct stat info {};
    if (::fstatat(dirfd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return;
        throw_errno("stat " + name);
    }
    if (S_ISDIR(info.st_mode)) {
        remove_contents(open_at(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), info.st_dev);
    }
    if (::unlinkat(dirfd, name.c_str(), S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
        throw_errno("remove " + name);
    }
}

}  // namespace kedge
