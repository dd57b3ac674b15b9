#pragma once

#include <string>
#include <string_view>

namespace kedge::health {

/// What a probe said as UTF-8 of at most `limit` bytes: what is no UTF-8 is replaced (containers write what they like,
/// and this ends up in JSON), what is too long ends in `...`.
std::string bounded_text(std::string_view bytes, size_t limit);

/// The same in one line, for messages: every run of blanks, line ends and control characters is one blank, none at the
/// ends.
std::string one_line(std::string_view text, size_t limit);

}  // namespace kedge::health
