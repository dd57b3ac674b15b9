#include "runtime/containers/container_changes.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace kedge::runtime {

namespace {

constexpr int kDepthLimit = 256;  // each level holds two descriptors

struct Entry {
    Fd fd;  ///< O_PATH; none: it isn't there
    struct stat info {};
    explicit operator bool() const { return static_cast<bool>(fd); }
    bool is_folder() const { return fd && S_ISDIR(info.st_mode); }
    bool is_whiteout() const { return fd && S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(0, 0); }
};

Entry look_up(const Fd& folder, const std::string& name) {
    Entry entry;
    if (!folder) return entry;
    entry.fd.reset(::openat(folder.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!entry.fd && errno != ENOENT && errno != ENOTDIR) throw_errno("open " + name);
    if (entry.fd && ::fstat(entry.fd.get(), &entry.info) != 0) throw_errno("stat " + name);
    return entry;
}

std::string attribute(const Fd& fd, const char* name) {
    char value[256];
    ssize_t size = ::getxattr(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), name, value, sizeof value);
    return size > 0 ? std::string(value, static_cast<size_t>(size)) : std::string();
}

/// Of folders size and time say nothing: they change with what is in them.
bool differ(const Entry& a, const Entry& b) {
    if (a.info.st_mode != b.info.st_mode || a.info.st_uid != b.info.st_uid || a.info.st_gid != b.info.st_gid ||
        a.info.st_rdev != b.info.st_rdev)
        return true;
    if (a.is_folder()) return false;
    if (a.info.st_size != b.info.st_size || a.info.st_mtim.tv_sec != b.info.st_mtim.tv_sec ||
        a.info.st_mtim.tv_nsec != b.info.st_mtim.tv_nsec)
        return true;
    constexpr const char* kCapability = "security.capability";
    return S_ISREG(a.info.st_mode) && attribute(a.fd, kCapability) != attribute(b.fd, kCapability);
}

class Comparison {
public:
    explicit Comparison(const std::set<std::string>& left_out) : left_out_(left_out) {}

    /// `replaced`: what the image has in this folder is hidden unless the upper one has it too.
    void folder(const Fd& upper, const Fd& lower, const std::string& path, bool replaced) {
        if (++depth_ > kDepthLimit) {
            throw Error(Code::invalid_argument, "folders are nested deeper than " + std::to_string(kDepthLimit) + ": " +
                                                    path.substr(0, 100) + "...");
        }
        replaced = replaced || attribute(upper, "trusted.overlay.opaque") == "y";
        std::vector<std::string> names = names_in(upper.get());
        if (replaced && lower) {
            std::vector<std::string> hidden = names_in(lower.get()), all;
            std::set_union(names.begin(), names.end(), hidden.begin(), hidden.end(), std::back_inserter(all));
            names = std::move(all);
        }
        for (const std::string& name : names)
            if (!left_out_.contains((path + "/" + name).substr(1)))
                entry(look_up(upper, name), look_up(lower, name), path + "/" + name, replaced);
        --depth_;
    }

    std::vector<FileChange> changes;

private:
    void entry(const Entry& upper, const Entry& lower, const std::string& path, bool replaced) {
        static const Fd kNone;
        if (!upper || upper.is_whiteout()) {
            if (lower) changes.push_back({FileChange::Kind::removed, path});
            return;
        }
        const size_t before = changes.size();
        if (upper.is_folder()) folder(upper.fd, lower.is_folder() ? lower.fd : kNone, path, replaced);
        const bool inside = changes.size() > before;
        if (lower && !inside && !differ(upper, lower)) return;
        FileChange change{lower ? FileChange::Kind::modified : FileChange::Kind::added, path};
        changes.insert(changes.begin() + static_cast<ptrdiff_t>(before), std::move(change));
    }

    const std::set<std::string>& left_out_;
    int depth_ = 0;
};

}  // namespace

std::vector<FileChange> changes_of(const Fd& upper, const Fd& lower, const std::set<std::string>& left_out) {
    Comparison comparison(left_out);
    comparison.folder(upper, lower, {}, false);
    return std::move(comparison.changes);
}

std::set<std::string> mount_stubs(const Fd& upper, const Fd& lower) {
    ConfinedRoot above(upper.duplicate()), below((lower ? lower : upper).duplicate());
    std::set<std::string> stubs;
    auto only_stubs = [&](const Fd& folder, const std::string& path) {
        std::vector<std::string> names = names_in(folder.get());
        return std::all_of(names.begin(), names.end(),
                           [&](const std::string& name) { return stubs.contains(path + "/" + name); });
    };
    auto find = [](const ConfinedRoot& root, const std::string& path) {
        size_t slash = path.rfind('/');
        try {
            if (slash == std::string::npos) return look_up(root.open("", O_PATH | O_DIRECTORY), path);
            return look_up(root.open_strictly(path.substr(0, slash), O_PATH | O_DIRECTORY), path.substr(slash + 1));
        } catch (const Error&) {
            return Entry{};  // something else is on the way: it isn't what a start has made
        }
    };
    // What is in a folder comes before the folder.
    for (const char* path :
         {"etc/hosts", "etc/hostname", "etc/resolv.conf", "sbin/docker-init", "etc", "sbin", "dev", "proc", "sys"}) {
        Entry made = find(above, path), given = lower ? find(below, path) : Entry{};
        if (!made) continue;
        if (made.is_folder() ? only_stubs(made.fd, path) && (!given || !differ(made, given))
                             : S_ISREG(made.info.st_mode) && made.info.st_size == 0 && !given)
            stubs.insert(path);
    }
    return stubs;
}

}  // namespace kedge::runtime
