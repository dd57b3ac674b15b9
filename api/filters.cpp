#include "api/filters.h"

#include "api/json_body.h"
#include "api/stream_time.h"
#include "base/error.h"

#include <re2/re2.h>

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

bool Filters::match(const std::string& name, const std::string& value) const {
    const auto& wanted = values(name);
    auto matches = [&](const std::string& text) {
        std::shared_ptr<const RE2>& expression = expressions_[text];
        if (!expression) expression = std::make_shared<const RE2>(text, RE2::Quiet);
        return text == value || (expression->ok() && RE2::PartialMatch(value, *expression));
    };
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), matches);
}

bool Filters::prefix(const std::string& name, const std::string& value) const {
    const auto& wanted = values(name);
    return wanted.empty() ||
           std::any_of(wanted.begin(), wanted.end(), [&](const std::string& w) { return value.starts_with(w); });
}

bool Filters::labels(const std::map<std::string, std::string>& labels) const {
    auto has_it = [&](const std::string& w) {
        size_t equals = w.find('=');
        auto found = labels.find(w.substr(0, equals));
        return found != labels.end() && (equals == std::string::npos || found->second == w.substr(equals + 1));
    };
    const auto &wanted = values("label"), &unwanted = values("label!");
    return std::all_of(wanted.begin(), wanted.end(), has_it) && std::none_of(unwanted.begin(), unwanted.end(), has_it);
}

bool Filters::made_before(WallTime created, WallTime now) const {
    const auto& times = values("until");
    if (times.empty()) return true;
    if (times.size() > 1) throw Error(Code::invalid_argument, "more than one until filter specified");
    const std::string& text = *times.begin();
    auto limit = [&] {
        if (text.find_first_not_of("0123456789.") == std::string::npos) return parameter_time(text);
        if (text.find('-') == std::string::npos) return now - parse_duration(text);
        return parse_time(text.find('T') == std::string::npos ? text + "T00:00:00Z" : text);
    };
    try {
        return created < limit();
    } catch (const Error&) {
        throw Error(Code::invalid_argument, "failed to parse value as time or duration: \"" + text + "\"");
    }
}

bool Filters::flag(const std::string& name, bool absent) const {
    if (!has(name)) return absent;
    const std::string& value = *values(name).begin();
    if (value == "true" || value == "1") return true;
    if (value == "false" || value == "0") return false;
    throw Error(Code::invalid_argument, "invalid filter '" + name + "=[" + value + "]'");
}

}  // namespace kedge::api
