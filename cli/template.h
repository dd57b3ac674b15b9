#pragma once

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace kedge::cli {

/// Go's templates as far as scripts use them with --format: text with `{{.A.B}}`, `{{json .A}}`, `{{index .Labels
/// "a.b"}}`,
/// `{{range $name, $value := .A}}`, `{{if}}`, `{{with}}`, pipes, the functions of template_functions.h, and `\n` and
/// `\t` in the text. What it does not understand, and members that aren't there, are Error (invalid_argument).
std::string render_template(const std::string& text, const nlohmann::json& value);

/// The parts of `{{.ID}}\t{{.Names}}`.
std::vector<std::string> split_columns(const std::string& text);
/// The heading of such a part: `heading_of` its first member, or if that is empty, the member's name in capitals.
std::string template_heading(const std::string& text,
                             const std::function<std::string(const std::string& member)>& heading_of);

}  // namespace kedge::cli
