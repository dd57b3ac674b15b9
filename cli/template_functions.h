#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kedge::cli {

/// json, index, len, join, split, upper, lower, title, truncate, pad, print, println, printf, eq, ne, lt, le, gt, ge,
/// not, and, or. An unknown one, or arguments that don't fit, are Error (invalid_argument).
nlohmann::json call_function(const std::string& name, const std::vector<nlohmann::json>& arguments);
bool is_function(const std::string& name);

/// As Go takes it: false, 0, "", and what is empty or absent is not true.
bool is_true(const nlohmann::json& value);
/// As Go prints it: text without quotes, `[a b]`, `map[key:value]`.
std::string printed(const nlohmann::json& value);
/// Of lists' rows: the object that answers `{{.Label "x"}}`; it is no member of theirs.
inline constexpr const char* kLabels = "Label";

}  // namespace kedge::cli
