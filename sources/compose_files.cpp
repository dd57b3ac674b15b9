#include "sources/compose_files.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/folder.h"
#include "sources/utf8.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

namespace kedge::sources {

namespace {

// Folders in a repository that a service mounts; deeper ones are an attack on the stack.
constexpr int kFolderDepth = 128;

void hash_field(Hasher& hasher, std::string_view text) {
    hasher.update(fmt::format("{}:", text.size()));
    hasher.update(text);
}

void hash_file(Hasher& hasher, int fd, int64_t size) {
    hasher.update(fmt::format("{}:", size));
    std::array<char, 64 * 1024> buffer;
    while (true) {
        ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("read");
        if (count == 0) return;
        hasher.update({buffer.data(), static_cast<size_t>(count)});
    }
}

std::string link_target(int dirfd, const char* name) {
    std::array<char, PATH_MAX> target;
    ssize_t length = ::readlinkat(dirfd, name, target.data(), target.size());
    if (length < 0) throw_errno(std::string("readlink ") + name);
    return {target.data(), static_cast<size_t>(length)};
}

/// Names, modes, link targets and bytes, in sorted order; links are not followed.
void hash_entry(Hasher& hasher, int dirfd, const std::string& name, int depth) {
    if (depth > kFolderDepth)
        throw Error(Code::invalid_argument, fmt::format("{}: folders are nested deeper than {}", name, kFolderDepth));
    struct stat status {};
    if (::fstatat(dirfd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat " + name);
    hasher.update(fmt::format("{:o} ", status.st_mode));
    if (S_ISLNK(status.st_mode)) {
        hash_field(hasher, link_target(dirfd, name.c_str()));
    } else if (S_ISREG(status.st_mode)) {
        // Looked at again once it is open: a pipe that took its place would hold us up.
        Fd file = open_at(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (::fstat(file.get(), &status) != 0) throw_errno("stat " + name);
        if (!S_ISREG(status.st_mode))
            throw Error(Code::invalid_argument,
                        fmt::format("{} is not a regular file any more", printable(name, PATH_MAX)));
        hash_file(hasher, file.get(), status.st_size);
    } else if (S_ISDIR(status.st_mode)) {
        Fd folder = open_at(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        std::vector<std::string> names = names_in(folder.get());
        hasher.update(fmt::format("{}:", names.size()));
        for (const std::string& child : names) {
            hash_field(hasher, child);
            hash_entry(hasher, folder.get(), child, depth + 1);
        }
    }
}

std::string path_of_fd(int fd) {
    return link_target(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str());
}

}  // namespace

std::string resolve_path(const std::string& folder, const std::string& path) {
    std::string result = (std::filesystem::path(folder) / path).lexically_normal().string();
    while (result.size() > 1 && result.ends_with('/')) result.pop_back();
    return result;
}

bool is_inside(const std::string& path, const std::string& folder) {
    return path == folder || folder == "/" || (path.starts_with(folder) && path[folder.size()] == '/');
}

ProjectFiles::ProjectFiles(const std::string& directory, const std::string& confine_to)
    : directory_(resolve_path("/", directory)) {
    if (confine_to.empty()) return;
    confine_to_ = resolve_path("/", confine_to);
    root_.emplace(AT_FDCWD, confine_to_);
}

std::string ProjectFiles::shown(const std::string& path) const {
    bool below = is_inside(path, directory_) && path != directory_;
    return printable(below ? std::string_view(path).substr(directory_ == "/" ? 1 : directory_.size() + 1) : path,
                     PATH_MAX);
}

std::string ProjectFiles::below_root(const std::string& path) const {
    if (!is_inside(path, confine_to_)) {
        throw Error(Code::invalid_argument, fmt::format("{} lies outside the repository", shown(path)));
    }
    return path == confine_to_ ? "." : path.substr(confine_to_.size());
}

Fd ProjectFiles::open(const std::string& path, int flags) const {
    try {
        return root_ ? root_->open(below_root(path), flags) : open_at(AT_FDCWD, path, flags);
    } catch (const Error& e) {
        if (e.code() == Code::not_found) throw Error(Code::not_found, shown(path) + " not found");
        // A loop of links, a file in the place of a folder, a socket: what the project asks for can't be.
        if (e.code() == Code::internal) throw Error(Code::invalid_argument, printable(e.what(), PATH_MAX));
        throw;
    }
}

std::string ProjectFiles::read(const std::string& path, size_t limit) const {
    // Without O_NONBLOCK a named pipe would hold us up.
    Fd file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw_errno("stat " + path);
    if (!S_ISREG(status.st_mode))
        throw Error(Code::invalid_argument, fmt::format("{} is not a regular file", shown(path)));
    if (status.st_size > static_cast<int64_t>(limit)) {
        throw Error(Code::invalid_argument, fmt::format("{} is larger than {} bytes", shown(path), limit));
    }
    return read_all(file.get(), limit);
}

bool ProjectFiles::exists(const std::string& path) const {
    try {
        (void)open(path, O_PATH);
        return true;
    } catch (const Error& e) {
        if (e.code() == Code::not_found) return false;
        throw;
    }
}

std::optional<ProjectFiles::Found> ProjectFiles::find(const std::string& path) const {
    Fd entry;
    try {
        entry = open(path, O_PATH);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        try {
            (void)open(path, O_PATH | O_NOFOLLOW);
        } catch (const Error&) {
            return std::nullopt;
        }
        throw Error(Code::invalid_argument,
                    fmt::format("{} is a link that leads nowhere inside the repository", shown(path)));
    }
    if (!root_) return Found{path, ""};
    // The engine mounts by name and follows links from the machine's root: give it a name without any.
    std::string real = path_of_fd(entry.get());
    std::string root = path_of_fd(root_->fd());
    if (!is_utf8(real))
        throw Error(Code::invalid_argument, fmt::format("{} leads to a name that is not valid UTF-8", shown(path)));
    if (!is_inside(real, root))
        throw Error(Code::invalid_argument, fmt::format("{} lies outside the repository", shown(path)));
    std::string& digest = digests_[real];
    if (digest.empty()) {
        Hasher hasher;
        size_t slash = real.rfind('/');
        bool whole = real == root;
        Fd parent = root_->open(whole ? "" : real.substr(root.size(), slash - root.size()), O_PATH | O_DIRECTORY);
        hash_entry(hasher, parent.get(), whole ? "." : real.substr(slash + 1), 0);
        digest = hasher.finish().str();
    }
    return Found{real, digest};
}

}  // namespace kedge::sources
