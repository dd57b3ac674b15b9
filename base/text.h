#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kedge {

/// The beginning of a UTF-8 text: at most `bytes` of it, and no character in parts.
std::string beginning(std::string_view text, size_t bytes);

/// The parts between separators, empty ones too: always one more than there are separators.
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace kedge
