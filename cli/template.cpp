#include "cli/template.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

std::string trimmed(const std::string& text) {
    size_t from = text.find_first_not_of(' ');
    return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

const json& look_up(const json& value, const std::string& path, const std::string& expression) {
    const json* at = &value;
    size_t from = 1;
    while (from < path.size()) {
        size_t dot = std::min(path.find('.', from), path.size());
        std::string key = path.substr(from, dot - from);
        if (!at->is_object() || !at->contains(key)) {
            throw Error(Code::invalid_argument, "template: {{" + expression + "}}: there is no " + key);
        }
        at = &(*at)[key];
        from = dot + 1;
    }
    return *at;
}

std::string evaluate(const std::string& expression, const json& value) {
    std::string text = trimmed(expression);
    bool as_json = text.starts_with("json ");
    if (as_json) text = trimmed(text.substr(5));
    if (!text.starts_with(".") || text.find_first_of(" |()\"'") != std::string::npos) {
        throw Error(Code::invalid_argument, "template: {{" + expression + "}} is not supported", "kedge understands {{.Name}}, {{.A.B}} and {{json .A}}");
    }
    const json& found = look_up(value, text, expression);
    if (!as_json && found.is_string()) return found.get<std::string>();
    return found.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string render_template(const std::string& text, const json& value) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text.compare(i, 2, "{{") == 0) {
            size_t end = text.find("}}", i);
            if (end == std::string::npos) throw Error(Code::invalid_argument, "template: \"" + text + "\" has no end of {{");
            result += evaluate(text.substr(i + 2, end - i - 2), value);
            i = end + 1;
        } else if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 't' || text[i + 1] == 'n')) {
            result += text[++i] == 't' ? '\t' : '\n';
        } else {
            result += text[i];
        }
    }
    return result;
}

}  // namespace kedge::cli
