#pragma once

#include "base/confined.h"
#include "base/fd.h"

#include <string>

namespace kedge::runtime {

/// A path inside a container as users of `docker cp` write it, relative or absolute.
struct InnerPath {
    explicit InnerPath(const std::string& text);

    std::string path;        ///< clean, absolute
    std::string name;        ///< the last part: `.` if the path ends so, `/` of the root
    bool is_folder = false;  ///< it says that it is one, by `/` or `/.` at its end: links are followed
};

/// Opens it (O_PATH) inside the root. Throws Error.
Fd open_inner(const ConfinedRoot& root, const InnerPath& path);

/// Where a link leads inside the root, as a clean absolute path. What isn't there stands for itself.
std::string follow_inner(const ConfinedRoot& root, const std::string& path);

}  // namespace kedge::runtime
