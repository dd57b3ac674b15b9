#include "base/tar/entry_attributes.h"

#include "base/error.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

namespace kedge {

void set_entry_xattrs(int fd, const std::string& name, const TarEntry& entry, bool lenient) {
    for (const auto& [key, value] : entry.xattrs) {
        if (key.starts_with("trusted.overlay."))
            throw Error(Code::invalid_argument, "the attribute " + key + " is overlayfs' own");
        int result = name.empty() ? ::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0)
                                  : ::lsetxattr(("/proc/self/fd/" + std::to_string(fd) + "/" + name).c_str(),
                                                key.c_str(), value.data(), value.size(), 0);
        if (result == 0) continue;
        if (errno == EOPNOTSUPP && key != "security.capability") continue;
        if (errno == EPERM && key.starts_with("user.")) continue;  // not on links and devices
        if (lenient && (errno == EPERM || errno == EACCES || errno == EOPNOTSUPP)) continue;
        throw_errno("attribute " + key);
    }
}

void set_entry_attributes(int fd, const TarEntry& entry) {
    // Owner first: changing it clears set-id bits and capabilities.
    if (::fchown(fd, entry.uid, entry.gid) != 0) throw_errno("chown");
    if (::fchmod(fd, entry.mode) != 0) throw_errno("chmod");
    if (!entry.xattrs.empty()) set_entry_xattrs(fd, {}, entry);
}

void set_entry_time(int fd, timespec mtime) {
    timespec times[2] = {mtime, mtime};
    if (::futimens(fd, times) != 0) throw_errno("set the time");
}

mode_t node_type(TarEntry::Type type) {
    switch (type) {
        case TarEntry::Type::character: return S_IFCHR;
        case TarEntry::Type::block: return S_IFBLK;
        default: return S_IFIFO;
    }
}

void write_entry_content(int file, const TarEntry& entry, TarReader& data, const std::function<void(int64_t)>& count) {
    std::string_view piece;
    int64_t offset = 0;
    int64_t end = 0;
    while (data.data(piece, offset)) {
        // libarchive keeps to the size that the header gave; a sparse map could still say anything.
        if (offset < 0 || offset > entry.size || static_cast<int64_t>(piece.size()) > entry.size - offset) {
            throw Error(Code::invalid_argument, "its content is larger than its size");
        }
        end = offset + static_cast<int64_t>(piece.size());
        count(static_cast<int64_t>(piece.size()));
        while (!piece.empty()) {
            ssize_t n = ::pwrite(file, piece.data(), piece.size(), offset);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw_errno("write");
            piece.remove_prefix(static_cast<size_t>(n));
            offset += n;
        }
    }
    if (end < entry.size && ::ftruncate(file, entry.size) != 0) throw_errno("write");
}

}  // namespace kedge
