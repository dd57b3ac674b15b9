#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kedge::sources {

/// Length of the UTF-8 sequence that `text` starts with; 0 if it is none (RFC 3629: no surrogates, no longer forms than
/// needed).
size_t utf8_length(std::string_view text);

/// Projects are kept as JSON, which has no other text.
bool is_utf8(std::string_view text);

/// One line for people: control characters written as `\x0a`, cut after about `limit` bytes.
std::string printable(std::string_view text, size_t limit);

}  // namespace kedge::sources
