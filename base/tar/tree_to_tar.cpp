#include "base/tar/tree_to_tar.h"

#include "base/error.h"
#include "base/folder.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>
#include <vector>

namespace kedge {

namespace {

constexpr int kDepthLimit = 256;  // each level holds a descriptor; nobody's files are deeper
constexpr size_t kPiece = 256 << 10;

std::string self(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

std::string joined(const std::string& folder, const std::string& name) {
    if (folder.empty()) return name;
    return folder.ends_with('/') ? folder + name : folder + "/" + name;
}

struct stat stat_of(int fd, const std::string& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) throw_errno("stat " + path);
    return info;
}

std::string link_of(int fd, const std::string& path) {
    std::string target(4097, '\0');
    ssize_t size = ::readlinkat(fd, "", target.data(), target.size());
    if (size < 0) throw_errno("read link " + path);
    target.resize(static_cast<size_t>(size));
    return target;
}

bool is_kept(std::string_view attribute) {
    for (std::string_view other : {"trusted.overlay.", "user.overlay.", "security.selinux", "security.ima",
                                   "security.evm", "security.apparmor"}) {
        if (attribute.starts_with(other)) return false;
    }
    return true;
}

/// Of an open file or folder. What can't be read is as if it weren't there: it depends on who asks.
void read_xattrs(int fd, TarEntry& made) {
    ssize_t size = ::flistxattr(fd, nullptr, 0);
    if (size <= 0) return;
    std::string names(static_cast<size_t>(size), '\0');
    size = ::flistxattr(fd, names.data(), names.size());
    std::string value(65536, '\0');
    for (const char* name = names.data(); size > 0 && name < names.data() + size; name += std::strlen(name) + 1) {
        if (!is_kept(name)) continue;
        ssize_t length = ::fgetxattr(fd, name, value.data(), value.size());
        if (length >= 0) made.xattrs.emplace_back(name, value.substr(0, static_cast<size_t>(length)));
    }
}

bool is_opaque(int folder) {
    char value = 0;
    return ::fgetxattr(folder, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

std::optional<TarEntry::Type> type_of(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG: return TarEntry::Type::file;
        case S_IFDIR: return TarEntry::Type::folder;
        case S_IFLNK: return TarEntry::Type::symlink;
        case S_IFCHR: return TarEntry::Type::character;
        case S_IFBLK: return TarEntry::Type::block;
        case S_IFIFO: return TarEntry::Type::fifo;
        default: return std::nullopt;
    }
}

}  // namespace

bool in_pseudo_filesystem(int fd) {
    static constexpr unsigned kPseudo[] = {PROC_SUPER_MAGIC,
                                           SYSFS_MAGIC,
                                           CGROUP_SUPER_MAGIC,
                                           CGROUP2_SUPER_MAGIC,
                                           DEBUGFS_MAGIC,
                                           TRACEFS_MAGIC,
                                           SECURITYFS_MAGIC,
                                           BPF_FS_MAGIC,
                                           DEVPTS_SUPER_MAGIC,
                                           PSTOREFS_MAGIC,
                                           EFIVARFS_MAGIC,
                                           BINFMTFS_MAGIC,
                                           SELINUX_MAGIC,
                                           SMACK_MAGIC,
                                           NSFS_MAGIC,
                                           0x62656570 /* configfs */,
                                           0x65735543 /* fusectl */,
                                           0x19800202 /* mqueue */,
                                           0x67596969 /* rpc_pipefs */};
    struct statfs info {};
    if (::fstatfs(fd, &info) != 0) throw_errno("file system");
    return std::find(std::begin(kPseudo), std::end(kPseudo), static_cast<unsigned>(info.f_type)) != std::end(kPseudo);
}

void TreeToTar::add(const Fd& top, const std::string& as) {
    entry(top, stat_of(top.get(), as), as, {});
}

void TreeToTar::add_content(const Fd& folder) {
    content(open_at(folder.get(), ".", O_RDONLY | O_DIRECTORY).get(), {}, {});
}

void TreeToTar::content(int folder, const std::string& as, const std::string& path) {
    if (++depth_ > kDepthLimit) {
        throw Error(Code::invalid_argument, "folders are nested deeper than " + std::to_string(kDepthLimit) + ": " +
                                                path.substr(0, 100) + "...");
    }
    for (const std::string& name : names_in(folder)) child(folder, name, joined(as, name), joined(path, name));
    --depth_;
}

void TreeToTar::child(int folder, const std::string& name, const std::string& as, const std::string& path) {
    if (options_.leave_out && options_.leave_out(path)) return;
    Fd fd;
    try {
        fd = open_at(folder, name, O_PATH | O_NOFOLLOW);
    } catch (const Error& e) {
        if (e.code() == Code::not_found) return;  // removed since the folder was read
        throw e.with_context(path);
    }
    struct stat info = stat_of(fd.get(), path);
    if (options_.overlay_layer) {
        if (S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(0, 0)) return whiteout(as, name);
        if (name.starts_with(".wh.")) {
            throw Error(Code::invalid_argument,
                        path + " can't be part of a layer: names that begin with .wh. say there what was removed");
        }
    }
    entry(fd, info, as, path);
}

void TreeToTar::whiteout(const std::string& as, const std::string& name) {
    TarEntry made;
    made.path = as.substr(0, as.size() - name.size()) + ".wh." + name;
    made.mode = 0600;
    tar_.begin(made);
}

/// A second name of a file that is in the archive already is a link to it.
bool TreeToTar::is_linked(const struct stat& info, TarEntry& made) {
    if (S_ISDIR(info.st_mode) || info.st_nlink < 2) return false;
    auto [known, is_new] = linked_.try_emplace({info.st_dev, info.st_ino}, made.path);
    if (is_new) return false;
    made.type = TarEntry::Type::hardlink;
    made.link = known->second;
    made.size = 0;
    tar_.begin(made);
    return true;
}

void TreeToTar::entry(const Fd& fd, const struct stat& info, const std::string& as, const std::string& path) {
    std::optional<TarEntry::Type> type = type_of(info.st_mode);
    if (!type) return;  // a socket means nothing without who listens
    TarEntry made;
    made.type = *type;
    made.path = as;
    made.mode = info.st_mode & 07777;
    made.uid = info.st_uid;
    made.gid = info.st_gid;
    made.mtime = info.st_mtim;
    if (is_linked(info, made)) return;
    if (*type == TarEntry::Type::file) return file(fd, info, made);
    if (*type == TarEntry::Type::symlink) made.link = link_of(fd.get(), as);
    if (*type == TarEntry::Type::character || *type == TarEntry::Type::block) made.device = info.st_rdev;
    if (*type != TarEntry::Type::folder) return tar_.begin(made);
    if (!made.path.ends_with('/')) made.path += '/';
    bool pseudo = in_pseudo_filesystem(fd.get());
    Fd folder;
    if (!pseudo) {
        folder = open_at(fd.get(), ".", O_RDONLY | O_DIRECTORY);
        read_xattrs(folder.get(), made);
    }
    tar_.begin(made);
    if (pseudo) return;
    if (options_.overlay_layer && !path.empty() && is_opaque(folder.get())) {
        TarEntry mark;
        mark.path = made.path + ".wh..wh..opq";
        mark.mode = 0600;
        tar_.begin(mark);
    }
    content(folder.get(), as, path);
}

void TreeToTar::file(const Fd& fd, const struct stat& info, TarEntry& made) {
    // Not by its name again, which may be another file's by now, or a device's that must not be opened.
    Fd open(::open(self(fd.get()).c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!open) throw_errno("open " + made.path);
    read_xattrs(open.get(), made);
    made.size = info.st_size;
    tar_.begin(made);
    std::vector<char> buffer(static_cast<size_t>(std::min<int64_t>(info.st_size, kPiece)));
    for (int64_t left = info.st_size; left > 0;) {
        size_t wanted = static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(buffer.size())));
        ssize_t size = ::read(open.get(), buffer.data(), wanted);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw_errno("read " + made.path);
        if (size == 0) {  // it has shrunk, but its size is told
            std::fill(buffer.begin(), buffer.end(), '\0');
            size = static_cast<ssize_t>(wanted);
        }
        tar_.data({buffer.data(), static_cast<size_t>(size)});
        left -= size;
    }
}

}  // namespace kedge
