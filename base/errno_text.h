#pragma once

#include <string>

namespace kedge {

/// `no space left on device`: as it stands behind a colon in errors.
std::string errno_text(int error_number);

}  // namespace kedge
