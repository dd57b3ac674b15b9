#pragma once

#include <string>

namespace kedge {

/// The absolute path of one of kedge's own programs that are started by others (kedge-shim, kedge-git): beside the
/// running executable, or in ../libexec/kedge as seen from it. Error not_found names where it was looked for.
std::string find_program(const std::string& name);

}  // namespace kedge
