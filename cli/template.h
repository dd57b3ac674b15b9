#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace kedge::cli {

/// The part of Go's templates that scripts use with --format: text with `{{.A.B}}`, `{{json .A}}` and `{{json .}}`, `\n` and `\t`. Anything
/// else between braces is Error (invalid_argument).
std::string render_template(const std::string& text, const nlohmann::json& value);

}  // namespace kedge::cli
