#include "api/filters.h"

#include "api/json_body.h"
#include "base/error.h"

#include <algorithm>

namespace kedge::api {

using nlohmann::json;

Filters::Filters(const Request& request, const std::set<std::string>& known) {
    std::string text = request.parameter("filters");
    if (text.empty()) return;
    json asked = parse_json(text);
    if (!asked.is_object()) throw Error(Code::invalid_argument, "filters: must be an object");
    for (const auto& [name, values] : asked.items()) {
        if (!known.contains(name)) throw Error(Code::invalid_argument, "invalid filter '" + name + "'");
        std::set<std::string>& wanted = values_[name];
        if (values.is_array()) {
            for (const json& value : values) {
                if (!value.is_string())
                    throw Error(Code::invalid_argument, "filters." + name + ": must be a list of strings");
                wanted.insert(value.get<std::string>());
            }
        } else if (values.is_object()) {
            for (const auto& [value, on] : values.items()) {
                if (on == true) wanted.insert(value);
            }
        } else {
            throw Error(Code::invalid_argument, "filters." + name + ": must be a list of strings");
        }
        if (wanted.empty()) values_.erase(name);
    }
}

const std::set<std::string>& Filters::values(const std::string& name) const {
    static const std::set<std::string> none;
    auto found = values_.find(name);
    return found == values_.end() ? none : found->second;
}

bool Filters::exact(const std::string& name, const std::string& value) const {
    return !has(name) || values(name).contains(value);
}

bool Filters::part(const std::string& name, const std::string& value) const {
    const auto& wanted = values(name);
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(),
                                         [&](const std::string& w) { return value.find(w) != std::string::npos; });
}

bool Filters::prefix(const std::string& name, const std::string& value) const {
    const auto& wanted = values(name);
    return wanted.empty() ||
           std::any_of(wanted.begin(), wanted.end(), [&](const std::string& w) { return value.starts_with(w); });
}

bool Filters::labels(const std::map<std::string, std::string>& labels) const {
    const auto& wanted = values("label");
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& w) {
        size_t equals = w.find('=');
        auto found = labels.find(w.substr(0, equals));
        return found != labels.end() && (equals == std::string::npos || found->second == w.substr(equals + 1));
    });
}

bool Filters::flag(const std::string& name, bool absent) const {
    if (!has(name)) return absent;
    const std::string& value = *values(name).begin();
    if (value == "true" || value == "1") return true;
    if (value == "false" || value == "0") return false;
    throw Error(Code::invalid_argument, "invalid filter '" + name + "=" + value + "'");
}

}  // namespace kedge::api
