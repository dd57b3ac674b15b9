#pragma once

#include "base/fd.h"
#include "runtime/container_files.h"

#include <set>
#include <string>
#include <vector>

namespace kedge::runtime {

/// What an overlay's upper folder changes of the image below it (a folder, or none). `left_out`: paths that count as
/// not there. Throws Error.
std::vector<FileChange> changes_of(const Fd& upper, const Fd& lower, const std::set<std::string>& left_out);

/// What starts have put into the upper folder only to mount over it (/proc, /etc/hosts, ...) and the image doesn't
/// have: relative paths.
std::set<std::string> mount_stubs(const Fd& upper, const Fd& lower);

}  // namespace kedge::runtime
