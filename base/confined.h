#pragma once

#include "base/fd.h"

#include <string>

namespace kedge {

/// A folder whose content others control: a layer being unpacked, a container's root, a checked-out tree.
/// The one place that opens paths inside such folders. Every path is resolved by the kernel with the folder
/// as root (openat2(2), RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS): `..`, absolute names and symbolic links,
/// also ones swapped meanwhile, never lead out of it.
class ConfinedRoot {
public:
    /// Takes the folder; `folder` is an O_PATH or O_DIRECTORY descriptor.
    explicit ConfinedRoot(Fd folder);
    ConfinedRoot(int dirfd, const std::string& path);

    int fd() const { return root_.get(); }

    /// openat2 below the root; O_CLOEXEC is added. Final symbolic links are followed inside the root unless
    /// O_NOFOLLOW. Throws Error that names the path.
    Fd open(const std::string& path, int flags, unsigned mode = 0) const;

    /// The same for a parent folder that must not be reached through any symbolic link (RESOLVE_NO_SYMLINKS).
    Fd open_strictly(const std::string& path, int flags, unsigned mode = 0) const;

    /// mkdir -p inside the root; existing folders and symbolic links to folders inside it are walked.
    /// Returns the last folder, opened O_PATH.
    Fd make_folders(const std::string& path, unsigned mode = 0755) const;

    bool exists(const std::string& path) const;

private:
    Fd root_;
};

}  // namespace kedge
