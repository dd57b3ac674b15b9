#pragma once

#include "base/confined.h"

#include <map>
#include <optional>
#include <string>

namespace kedge::sources {

/// Resolves a path against a folder by its text alone: `..` and `.` are taken out. Absolute paths stay.
std::string resolve_path(const std::string& folder, const std::string& path);

/// Whether `path` is `folder` or below it; both resolved.
bool is_inside(const std::string& path, const std::string& folder);

/// The files that a Compose project may read: all of the machine's, or only those inside one folder.
class ProjectFiles {
public:
    /// `confine_to`: absolute, or empty for no limit.
    ProjectFiles(const std::string& directory, const std::string& confine_to);

    bool confined() const { return root_.has_value(); }
    const std::string& directory() const { return directory_; }

    /// How messages call a file: relative to the project's folder if it is inside.
    std::string shown(const std::string& path) const;

    /// The bytes of a regular file. Errors: not_found; invalid_argument if it lies outside, isn't a regular file or is
    /// larger than `limit`.
    std::string read(const std::string& path, size_t limit = 1u << 20) const;

    /// invalid_argument if it lies outside.
    bool exists(const std::string& path) const;

    struct Found {
        std::string path;    ///< absolute and without symbolic links when confined
        std::string digest;  ///< of its content, when confined
    };
    /// A file or folder to mount; nothing if it isn't there. invalid_argument if it lies outside, or a link leads
    /// nowhere.
    std::optional<Found> find(const std::string& path) const;

private:
    Fd open(const std::string& path, int flags) const;
    std::string below_root(const std::string& path) const;

    std::string directory_, confine_to_;
    std::optional<ConfinedRoot> root_;
    mutable std::map<std::string, std::string> digests_;  ///< of what was found: services share folders
};

}  // namespace kedge::sources
