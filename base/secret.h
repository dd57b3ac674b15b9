#pragma once

#include <string>

namespace kedge {

/// Error permission_denied if users of no group of the file may read it; not_found if it isn't there.
void check_private(const std::string& path);

/// The content of a file that holds one secret, at most 64 KiB, without the line end. Refuses what check_private()
/// does, and empty ones (invalid_argument).
std::string read_secret(const std::string& path);

}  // namespace kedge
