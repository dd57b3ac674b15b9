#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kedge {

/// The names in a folder but `.` and `..`, sorted. Throws Error.
std::vector<std::string> names_in(int folder);

/// Bytes of the files in a folder and below, each counted once however many names it has; links aren't followed, other
/// file systems aren't entered. The content may be hostile and change meanwhile: then the sum is of what was met. 0 if
/// there is no such folder. Throws Error.
int64_t tree_size(int dirfd, const std::string& name);

}  // namespace kedge
