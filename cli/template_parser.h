#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kedge::cli {

struct TemplatePipeline;

/// `.A.B`, `$x.A`, `"text"`, `12`, `(...).A`, or a function's name.
struct TemplateTerm {
    enum class Kind { member, variable, literal, group, function };
    Kind kind = Kind::member;
    std::string name;  ///< of a variable (`$` is the whole value) or function
    nlohmann::json literal;
    std::shared_ptr<TemplatePipeline> group;  ///< what is in parentheses
    std::vector<std::string> path;            ///< members to follow from there
};

/// A function and its arguments, or one value; each command's result is the last argument of the next.
struct TemplatePipeline {
    std::string text;  ///< as it was written, for errors
    std::vector<std::vector<TemplateTerm>> commands;
};

struct TemplateNode {
    enum class Kind { text, print, condition, with, range };
    Kind kind = Kind::text;
    std::string text;
    TemplatePipeline pipeline;
    std::vector<std::string> variables;  ///< of a range: the value's, or the key's and the value's
    std::vector<TemplateNode> body, otherwise;
};

/// Throws Error (invalid_argument).
std::vector<TemplateNode> parse_template(const std::string& text);

}  // namespace kedge::cli
