#include "base/tar/tar_to_tree.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/tar/entry_attributes.h"
#include "base/tar/tree_to_tar.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>
#include <vector>

namespace kedge {

namespace {

constexpr int kNewFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

Error refused(const std::string& why) {
    return Error(Code::invalid_argument, why);
}

/// `./a//b/` and `/a/x/../b` are a/b.
std::string clean(const std::string& raw, const std::string& folder) {
    std::vector<std::string> parts;
    for (size_t start = 0; start < raw.size();) {
        size_t end = std::min(raw.find('/', start), raw.size());
        std::string part = raw.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (part != "..") {
            parts.push_back(std::move(part));
        } else if (parts.empty()) {
            throw refused("\"" + raw + "\" is outside of \"/" + folder + "\"");
        } else {
            parts.pop_back();
        }
    }
    std::string path;
    for (const std::string& part : parts) path += (path.empty() ? "" : "/") + part;
    return path;
}

std::pair<std::string, std::string> split(const std::string& path) {
    size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {{}, path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string without_slashes(std::string path) {
    while (path.starts_with('/')) path.erase(0, 1);
    while (path.ends_with('/')) path.pop_back();
    return path;
}

}  // namespace

TarToTree::TarToTree(const ConfinedRoot& root, std::string folder, Options options)
    : root_(root), folder_(without_slashes(std::move(folder))), options_(std::move(options)) {}

void TarToTree::add(TarEntry entry, TarReader& data) {
    try {
        write(entry, data);
    } catch (const Error& e) {
        throw e.with_context("entry \"" + entry.path + "\"");
    }
}

std::string TarToTree::in_root(const std::string& path) const {
    if (folder_.empty()) return path;
    return path.empty() ? folder_ : folder_ + "/" + path;
}

Fd TarToTree::open_folder(const std::string& path, int flags) const {
    return options_.follow_links ? root_.open(in_root(path), flags | O_DIRECTORY)
                                 : root_.open_strictly(in_root(path), flags | O_DIRECTORY);
}

TarToTree::Place TarToTree::locate(const std::string& raw) {
    Place place{clean(raw, folder_), -1, {}};
    auto [parent, name] = split(place.path);
    place.name = name;
    place.parent = open_parent(parent);
    return place;
}

int TarToTree::open_parent(const std::string& path) {
    if (parent_ && path == parent_path_) return parent_.get();
    Fd found;
    try {
        found = open_folder(path, O_PATH);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        (void)root_.make_folders(in_root(path), 0755);
        found = open_folder(path, O_PATH);
    }
    if (in_pseudo_filesystem(found.get()))
        throw refused("/" + in_root(path) + " is one of the kernel's own file systems: nothing can be copied there");
    parent_ = std::move(found);
    parent_path_ = path;
    return parent_.get();
}

void TarToTree::write(TarEntry& entry, TarReader& data) {
    if (options_.owner) std::tie(entry.uid, entry.gid) = *options_.owner;
    Place place = locate(entry.path);
    if (place.name.empty()) {
        if (entry.type != TarEntry::Type::folder) throw refused("only a folder can be extracted here");
        return;  // the folder itself stays as it is
    }
    bool device = entry.type == TarEntry::Type::character || entry.type == TarEntry::Type::block;
    if (device && options_.no_devices) return options_.no_devices(entry.path);
    bool in_place = make_room(entry, place);
    switch (entry.type) {
        case TarEntry::Type::file: return write_file(entry, place, in_place, data);
        case TarEntry::Type::folder: return write_folder(entry, place);
        case TarEntry::Type::hardlink: return write_hardlink(entry, place);
        default: return write_special(entry, place);
    }
}

/// Takes away what has the entry's name, unless both are folders. True if it can't be taken away but written into: a
/// file that is mounted, such as /etc/hosts.
bool TarToTree::make_room(const TarEntry& entry, const Place& place) {
    struct stat info {};
    if (::fstatat(place.parent, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return false;
        throw_errno("stat");
    }
    const std::string shown = "/" + in_root(place.path);
    bool is_folder = S_ISDIR(info.st_mode), folder_comes = entry.type == TarEntry::Type::folder;
    if (is_folder && folder_comes) return false;
    if (options_.keep_types && is_folder)
        throw refused("cannot overwrite directory \"" + shown + "\" with non-directory \"" + entry.path + "\"");
    if (options_.keep_types && folder_comes)
        throw refused("cannot overwrite non-directory \"" + shown + "\" with directory \"" + entry.path + "\"");
    if (is_folder) {
        remove_tree(place.parent, place.name);
        // What lay in it has gone too, and so perhaps a folder that is held open.
        std::erase_if(folder_times_, [&](const auto& time) { return time.first.starts_with(place.path + "/"); });
        return false;
    }
    if (entry.type == TarEntry::Type::hardlink && clean(entry.link, folder_) == place.path) return false;
    if (::unlinkat(place.parent, place.name.c_str(), 0) == 0 || errno == ENOENT) return false;
    if (errno == EBUSY && S_ISREG(info.st_mode) && entry.type == TarEntry::Type::file) return true;
    throw_errno("replace");
}

void TarToTree::attributes(int fd, const TarEntry& entry) const {
    mode_t mode = entry.mode;
    if (options_.own_owner) {
        if (::fchown(fd, entry.uid, entry.gid) != 0) throw_errno("chown");
    } else if (entry.type == TarEntry::Type::file) {
        mode &= 01777;  // set-id bits were meant for another owner
    }
    if (::fchmod(fd, mode) != 0) throw_errno("chmod");
    set_entry_xattrs(fd, {}, entry, options_.lenient);
}

void TarToTree::write_file(const TarEntry& entry, const Place& place, bool in_place, TarReader& data) {
    if (entry.size < 0) throw refused("its size is negative");
    Fd file;
    if (in_place) {
        Fd there = open_at(place.parent, place.name, O_PATH | O_NOFOLLOW);
        struct stat info {};
        if (::fstat(there.get(), &info) != 0 || !S_ISREG(info.st_mode)) throw refused("it is no longer a file");
        file = open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(there.get()), O_WRONLY | O_TRUNC);
    } else {
        file = open_at(place.parent, place.name, kNewFile, 0600);
    }
    if (entry.size > 0) write_entry_content(file.get(), entry, data, [](int64_t) {});
    attributes(file.get(), entry);
    set_entry_time(file.get(), entry.mtime);
}

void TarToTree::write_folder(const TarEntry& entry, const Place& place) {
    if (::mkdirat(place.parent, place.name.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("make folder");
    Fd folder = open_at(place.parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (in_pseudo_filesystem(folder.get())) return;  // a whole root is copied: its /proc stays
    attributes(folder.get(), entry);
    folder_times_[place.path] = entry.mtime;
    parent_ = std::move(folder);  // what comes next most often lies in it
    parent_path_ = place.path;
}

void TarToTree::write_special(const TarEntry& entry, const Place& place) {
    const char* name = place.name.c_str();
    if (entry.type == TarEntry::Type::symlink) {
        if (::symlinkat(entry.link.c_str(), place.parent, name) != 0) throw_errno("make link");
    } else if (::mknodat(place.parent, name, node_type(entry.type) | 0600, entry.device) != 0) {
        throw_errno("make");
    }
    if (options_.own_owner && ::fchownat(place.parent, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
        throw_errno("chown");
    if (entry.type != TarEntry::Type::symlink) {
        // By what it is, not by its name: fchmodat follows links, and others may have put one there.
        Fd made = open_at(place.parent, place.name, O_PATH | O_NOFOLLOW);
        struct stat info {};
        if (::fstat(made.get(), &info) != 0 || S_ISLNK(info.st_mode)) throw refused("it was replaced meanwhile");
        if (::chmod(("/proc/self/fd/" + std::to_string(made.get())).c_str(), entry.mode) != 0) throw_errno("chmod");
    }
    if (!entry.xattrs.empty()) set_entry_xattrs(place.parent, place.name, entry, options_.lenient);
    timespec times[2] = {entry.mtime, entry.mtime};
    if (::utimensat(place.parent, name, times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set the time");
}

void TarToTree::write_hardlink(const TarEntry& entry, const Place& place) {
    std::string target = clean(entry.link, folder_);
    if (target.empty()) throw refused("a hard link to the folder itself");
    if (target == place.path) return;  // it is itself already
    auto [parent, name] = split(target);
    Fd folder = open_folder(parent, O_PATH);
    if (::linkat(folder.get(), name.c_str(), place.parent, place.name.c_str(), 0) != 0)
        throw_errno("link to " + entry.link);
}

void TarToTree::finish() {
    for (const auto& [path, mtime] : folder_times_) {
        try {
            set_entry_time(open_folder(path, O_RDONLY).get(), mtime);
        } catch (const Error& e) {
            // A later entry, or somebody else, has put something else in its place; its time is nobody's loss.
            if (e.code() == Code::resource_exhausted) throw;
        }
    }
}

void extract_tar(const std::function<std::string_view()>& next, TarToTree& to) {
    TarReader reader(next);
    TarEntry entry;
    while (reader.next(entry)) to.add(entry, reader);
    to.finish();
}

}  // namespace kedge
