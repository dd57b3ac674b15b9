#pragma once

#include <string>
#include <vector>

namespace kedge::runtime {

/// The names in a folder but `.` and `..`, sorted. Throws Error.
std::vector<std::string> names_in(int folder);

}  // namespace kedge::runtime
