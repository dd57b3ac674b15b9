#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

/// What words are expanded with.
struct Variables {
    const std::vector<std::string>& environment;  ///< `NAME=value`
    size_t room = 1u << 20;                       ///< bytes that may still come out: variables of variables double
};

/// A Dockerfile's word as the instruction takes it: quotes and backslashes as in a shell, and $A, ${A}, ${A:-else},
/// ${A:+then}, ${A:?error} (also without the colon) replaced by what they are; one that is not
/// set is empty. Error invalid_argument: a quote or brace that is not closed, other operators, more than there is room
/// for.
std::string expand_word(std::string_view word, Variables& variables);

}  // namespace kedge::runtime
