#include "runtime/images/layer_writer.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/tar/entry_attributes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr int64_t kMaxEntries = 4'000'000;
constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr std::string_view kWhiteout = ".wh.";  // OCI image-spec, layer.md, "Whiteouts"
constexpr std::string_view kWhiteoutMeta = ".wh..wh.";
constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";
constexpr const char* kOpaque = "trusted.overlay.opaque";

Error refused(const std::string& why) {
    return Error(Code::invalid_argument, why);
}

/// `./a//b/`, `/a/b` and `a/x/../b` are a/b, as Docker reads them, without a look at what is there. Absolute names are
/// taken relative to the layer, as Docker does.
std::string clean(const std::string& raw) {
    std::string path;
    for (size_t start = 0; start < raw.size();) {
        size_t end = std::min(raw.find('/', start), raw.size());
        std::string_view part = std::string_view(raw).substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (part == "..") {
            if (path.empty()) throw refused("a name with .. leads out of the layer");
            path.resize(path.find('/') == std::string::npos ? 0 : path.rfind('/'));
            continue;
        }
        if (!path.empty()) path += '/';
        path += part;
    }
    return path;
}

void mark_opaque(int folder) {
    if (::fsetxattr(folder, kOpaque, "y", 1, 0) != 0) throw_errno(std::string("attribute ") + kOpaque);
}

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

struct stat stat_at(int parent, const std::string& name) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat");
    return info;
}

}  // namespace

LayerWriter::LayerWriter(int folder, int64_t size_limit)
    : root_(folder, "."), size_limit_(size_limit), root_folder_(open_at(folder, ".", O_RDONLY | O_DIRECTORY)) {}

void LayerWriter::add(const TarEntry& entry, TarReader& data) {
    try {
        if (++entries_ > kMaxEntries) {
            throw Error(Code::resource_exhausted, "the layer has more than " + std::to_string(kMaxEntries) + " entries")
                .set_transient(false);
        }
        write(entry, data);
    } catch (const Error& e) {
        throw e.with_context("entry \"" + entry.path + "\"");
    }
}

LayerWriter::Place LayerWriter::locate(const std::string& raw) {
    Place place{clean(raw), -1, {}, false};
    size_t slash = place.path.rfind('/');
    place.name = slash == std::string::npos ? place.path : place.path.substr(slash + 1);
    place.parent = open_parent(slash == std::string::npos ? std::string() : place.path.substr(0, slash));
    place.by_link = place.parent != root_folder_.get() && parent_path_.empty();
    return place;
}

int LayerWriter::open_parent(const std::string& path) {
    if (path.empty()) return root_folder_.get();
    if (path == parent_path_) return parent_.get();
    bool by_link = false;
    try {
        parent_ = root_.open_strictly(path, kOpenFolder);
    } catch (const Error& e) {
        if (e.code() == Code::resource_exhausted || e.code() == Code::invalid_argument) throw;
        parent_ = walk_to(path, by_link);  // makes what is missing, or says what is in the way
    }
    // What a link leads to may be replaced under another name: it is not kept for the next entry.
    parent_path_ = by_link ? std::string() : path;
    return parent_.get();
}

Fd LayerWriter::walk_to(const std::string& path, bool& by_link) {
    Fd folder = root_folder_.duplicate();
    for (size_t start = 0; start < path.size();) {
        size_t end = std::min(path.find('/', start), path.size());
        std::string name = path.substr(start, end - start);
        if (::mkdirat(folder.get(), name.c_str(), 0755) == 0) {
            if (::fchmodat(folder.get(), name.c_str(), 0755, 0) != 0) throw_errno("chmod");  // whatever the umask is
        } else if (errno != EEXIST) {
            throw_errno("make the folder " + path.substr(0, end));
        }
        start = end + 1;
        const mode_t mode = stat_at(folder.get(), name).st_mode;
        if (S_ISDIR(mode)) {
            folder = open_at(folder.get(), name, kOpenFolder);
            continue;
        }
        // Every link so far was followed inside the layer, and so is this one: from the root, by its whole name.
        by_link = true;
        try {
            if (!S_ISLNK(mode)) throw refused("it is no link either");
            folder = root_.open(path.substr(0, end), O_RDONLY | O_DIRECTORY);
        } catch (const Error& e) {
            if (e.code() == Code::resource_exhausted) throw;
            throw refused("its parent " + path.substr(0, end) + " is not a folder");
        }
    }
    return folder;
}

void LayerWriter::write(const TarEntry& entry, TarReader& data) {
    Place place = locate(entry.path);
    if (place.name.empty()) {
        if (entry.type != TarEntry::Type::folder) throw refused("only a folder can be the root of a layer");
        set_entry_attributes(root_folder_.get(), entry);
        folder_times_[place.path] = entry.mtime;
        return;
    }
    if (place.name.starts_with(kWhiteout)) return write_whiteout(place);
    switch (entry.type) {
        case TarEntry::Type::file: return write_file(entry, place, data);
        case TarEntry::Type::folder: return write_folder(entry, place);
        case TarEntry::Type::hardlink: return write_hardlink(entry, place);
        default: return write_special(entry, place);
    }
}

/// A later entry replaces an earlier one of the same name; nothing is ever written into what is there.
void LayerWriter::remove_existing(const Place& place) {
    if (::unlinkat(place.parent, place.name.c_str(), 0) == 0) return;
    if (errno != EISDIR) throw_errno("replace");
    remove_tree(place.parent, place.name);
    // Only for a name in the root can the folder held open be another than its parent, and so have gone with it.
    if (parent_path_ == place.path || parent_path_.starts_with(place.path + "/")) parent_path_.clear();
}

void LayerWriter::write_file(const TarEntry& entry, const Place& place, TarReader& data) {
    if (entry.size < 0) throw refused("its size is negative");
    if (entry.size > size_limit_ - size_) {
        throw Error(Code::resource_exhausted, "the layer is larger than " + std::to_string(size_limit_) + " bytes")
            .set_transient(false);
    }
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Fd file(::openat(place.parent, place.name.c_str(), flags, 0600));
    if (!file && errno == EEXIST) {
        remove_existing(place);
        file.reset(::openat(place.parent, place.name.c_str(), flags, 0600));
    }
    if (!file) throw_errno("make file");
    if (entry.size > 0) write_entry_content(file.get(), entry, data, [&](int64_t more) { size_ += more; });
    set_entry_attributes(file.get(), entry);
    set_entry_time(file.get(), entry.mtime);
}

void LayerWriter::write_folder(const TarEntry& entry, const Place& place) {
    bool was_removed = false;
    if (::mkdirat(place.parent, place.name.c_str(), 0700) != 0) {
        if (errno != EEXIST) throw_errno("make folder");
        struct stat info = stat_at(place.parent, place.name);
        if (!S_ISDIR(info.st_mode)) {
            was_removed = is_whiteout(info);
            remove_existing(place);
            if (::mkdirat(place.parent, place.name.c_str(), 0700) != 0) throw_errno("make folder");
        }
    }
    Fd folder = open_at(place.parent, place.name, kOpenFolder);
    set_entry_attributes(folder.get(), entry);
    if (was_removed) mark_opaque(folder.get());  // the lower folder of this name stays hidden
    folder_times_[place.path] = entry.mtime;
    if (place.by_link) return;
    parent_ = std::move(folder);  // what comes next most often lies in it
    parent_path_ = place.path;
}

void LayerWriter::write_special(const TarEntry& entry, const Place& place) {
    auto make = [&] {
        if (entry.type == TarEntry::Type::symlink)
            return ::symlinkat(entry.link.c_str(), place.parent, place.name.c_str());
        return ::mknodat(place.parent, place.name.c_str(), node_type(entry.type) | 0600, entry.device);
    };
    if (make() != 0) {
        if (errno != EEXIST) throw_errno("make");
        remove_existing(place);
        if (make() != 0) throw_errno("make");
    }
    const char* name = place.name.c_str();
    if (::fchownat(place.parent, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("chown");
    if (entry.type != TarEntry::Type::symlink && ::fchmodat(place.parent, name, entry.mode, 0) != 0)
        throw_errno("chmod");
    if (!entry.xattrs.empty()) set_entry_xattrs(place.parent, place.name, entry);
    timespec times[2] = {entry.mtime, entry.mtime};
    if (::utimensat(place.parent, name, times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set the time");
}

void LayerWriter::write_hardlink(const TarEntry& entry, const Place& place) {
    std::string target = clean(entry.link);
    if (target.empty()) throw refused("a hard link to the layer's root");
    if (target == place.path) return;  // it is itself already
    Fd target_parent;
    size_t slash = target.rfind('/');
    try {
        target_parent =
            root_.open(slash == std::string::npos ? std::string() : target.substr(0, slash), O_RDONLY | O_DIRECTORY);
    } catch (const Error& e) {
        throw refused("a hard link to " + entry.link + ", which is not in the layer: " + e.what());
    }
    std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
    auto make = [&] { return ::linkat(target_parent.get(), name.c_str(), place.parent, place.name.c_str(), 0); };
    int result = make();
    if (result != 0 && errno == EEXIST) {
        remove_existing(place);
        result = make();
    }
    if (result != 0 && (errno == ENOENT || errno == EPERM)) {
        throw refused("a hard link to " + entry.link + ", which is not a file of the layer");
    }
    if (result != 0) throw_errno("link");
}

void LayerWriter::write_whiteout(const Place& place) {
    if (place.name == kOpaqueMarker) return mark_opaque(place.parent);
    if (place.name.starts_with(kWhiteoutMeta)) return;  // other marks of AUFS, which mean nothing elsewhere
    std::string name = place.name.substr(kWhiteout.size());
    if (name.empty() || name == "." || name == "..") throw refused("a whiteout of no file");
    if (::mknodat(place.parent, name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return;
    if (errno != EEXIST) throw_errno("make whiteout");
    // The layer itself has the name: a file hides the lower one anyway; a folder must not show the lower one's content.
    if (!S_ISDIR(stat_at(place.parent, name).st_mode)) return;
    mark_opaque(open_at(place.parent, name, kOpenFolder).get());
}

void LayerWriter::finish() {
    for (const auto& [path, mtime] : folder_times_) {
        Fd folder;
        try {
            folder = root_.open(path, kOpenFolder);
        } catch (const Error& e) {
            if (e.code() == Code::resource_exhausted) throw;
            continue;  // a later entry replaced it by something else
        }
        set_entry_time(folder.get(), mtime);
    }
}

}  // namespace kedge::runtime
