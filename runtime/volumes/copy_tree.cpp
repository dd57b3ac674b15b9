#include "runtime/volumes/copy_tree.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

namespace {

constexpr int kDepthLimit = 256;  // each level holds two descriptors; images have nothing that is deeper

std::string self(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

class TreeCopy {
public:
    explicit TreeCopy(int to) : top_(to) {}

    void folder(int from, int to, const std::string& path) {
        if (++depth_ > kDepthLimit) {
            throw Error(Code::invalid_argument, "folders are nested deeper than " + std::to_string(kDepthLimit) + ": " +
                                                    path.substr(0, 100) + "...");
        }
        for (const std::string& name : names_in(from)) entry(from, to, name, path.empty() ? name : path + "/" + name);
        folder_attributes(from, to, path);  // last: adding entries changed its time
        --depth_;
    }

    static void folder_attributes(int from, int to, const std::string& path) {
        struct stat info {};
        if (::fstat(from, &info) != 0) throw_errno("stat " + path);
        if (::fchown(to, info.st_uid, info.st_gid) != 0) throw_errno("chown " + path);
        attributes(from, to, path);
        finish(to, info, path);
    }

private:
    void entry(int from, int to, const std::string& name, const std::string& path) {
        struct stat info {};
        if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat " + path);
        if (S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(0, 0)) return;  // a whiteout
        if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
            auto [known, is_new] = linked_.try_emplace({info.st_dev, info.st_ino}, path);
            if (!is_new) {
                if (::linkat(top_, known->second.c_str(), to, name.c_str(), 0) != 0) throw_errno("link " + path);
                return;
            }
        }
        if (S_ISDIR(info.st_mode)) {
            if (::mkdirat(to, name.c_str(), 0700) != 0) throw_errno("mkdir " + path);
            Fd below = open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            folder(open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get(), below.get(), path);
        } else if (S_ISREG(info.st_mode)) {
            Fd source = open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
            Fd target = open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
            content(source.get(), target.get(), path);
            if (::fchown(target.get(), info.st_uid, info.st_gid) != 0) throw_errno("chown " + path);
            attributes(source.get(), target.get(), path);  // after chown, which drops security.capability
            finish(target.get(), info, path);
        } else {
            special(from, to, name, info, path);
        }
    }

    void special(int from, int to, const std::string& name, const struct stat& info, const std::string& path) {
        if (S_ISLNK(info.st_mode)) {
            std::string target(static_cast<size_t>(info.st_size) + 1, '\0');
            ssize_t n = ::readlinkat(from, name.c_str(), target.data(), target.size());
            if (n < 0) throw_errno("readlink " + path);
            target.resize(static_cast<size_t>(n));
            if (::symlinkat(target.c_str(), to, name.c_str()) != 0) throw_errno("symlink " + path);
        } else if (::mknodat(to, name.c_str(), info.st_mode, info.st_rdev) != 0) {
            throw_errno("mknod " + path);
        }
        if (::fchownat(to, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
            throw_errno("chown " + path);
        if (!S_ISLNK(info.st_mode) && ::fchmodat(to, name.c_str(), info.st_mode & 07777, 0) != 0)
            throw_errno("chmod " + path);
        timespec times[2] = {info.st_atim, info.st_mtim};
        if (::utimensat(to, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set times of " + path);
    }

    static void finish(int to, const struct stat& info, const std::string& path) {
        if (::fchmod(to, info.st_mode & 07777) != 0) throw_errno("chmod " + path);
        timespec times[2] = {info.st_atim, info.st_mtim};
        if (::futimens(to, times) != 0) throw_errno("set times of " + path);
    }

    static void content(int from, int to, const std::string& path) {
        while (true) {
            ssize_t n = ::copy_file_range(from, nullptr, to, nullptr, 1u << 30, 0);
            if (n == 0) return;
            if (n > 0 || errno == EINTR) continue;
            if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
                throw_errno("copy " + path);
            break;  // another kind of file system: by hand, from where it got to
        }
        char buffer[65536];
        while (true) {
            ssize_t n = ::read(from, buffer, sizeof buffer);
            if (n == 0) return;
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw_errno("read " + path);
            write_all(to, {buffer, static_cast<size_t>(n)});
        }
    }

    static void attributes(int from, int to, const std::string& path) {
        std::string names(65536, '\0');
        ssize_t size = ::listxattr(self(from).c_str(), names.data(), names.size());
        if (size < 0) {
            if (errno == EOPNOTSUPP) return;
            throw_errno("attributes of " + path);
        }
        std::string value(65536, '\0');
        for (const char* name = names.data(); name < names.data() + size; name += std::strlen(name) + 1) {
            std::string_view key = name;
            if (key.starts_with("trusted.overlay.") || key.starts_with("user.overlay.")) continue;
            ssize_t n = ::getxattr(self(from).c_str(), name, value.data(), value.size());
            if (n < 0) throw_errno("attribute " + std::string(key) + " of " + path);
            if (::setxattr(self(to).c_str(), name, value.data(), static_cast<size_t>(n), 0) != 0 &&
                errno != EOPNOTSUPP) {
                throw_errno("attribute " + std::string(key) + " of " + path);
            }
        }
    }

    int top_;
    int depth_ = 0;
    std::map<std::pair<dev_t, ino_t>, std::string> linked_;
};

}  // namespace

void copy_tree(int from, int to) {
    TreeCopy(to).folder(from, to, "");
}

void copy_folder_attributes(int from, int to) {
    TreeCopy::folder_attributes(from, to, "folder");
}

}  // namespace kedge::runtime
