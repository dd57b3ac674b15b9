#pragma once

#include <string>
#include <vector>

namespace kedge {

/// The names in a folder but `.` and `..`, sorted. Throws Error.
std::vector<std::string> names_in(int folder);

}  // namespace kedge
