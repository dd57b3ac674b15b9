#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kedge {

/// The beginning of a UTF-8 text: at most `bytes` of it, and no character in parts.
std::string beginning(std::string_view text, size_t bytes);

}  // namespace kedge
