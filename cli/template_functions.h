#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kedge::cli {

/// json, index, len, join, split, upper, lower, title, truncate, print, println, eq, ne, not, and, or. An unknown one,
/// or arguments that don't fit, are Error (invalid_argument).
nlohmann::json call_function(const std::string& name, const std::vector<nlohmann::json>& arguments);
bool is_function(const std::string& name);

/// As Go takes it: false, 0, "", and what is empty or absent is not true.
bool is_true(const nlohmann::json& value);
/// As it is printed: text without quotes, the rest as JSON.
std::string printed(const nlohmann::json& value);

}  // namespace kedge::cli
