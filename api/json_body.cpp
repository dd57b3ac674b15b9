#include "api/json_body.h"

#include "base/error.h"

#include <algorithm>
#include <string_view>

namespace kedge::api {

using nlohmann::json;

namespace {

constexpr int kDepth = 64;
const json kEmptyObject = json::object();

/// As Go reads names, and so Docker.
bool same_name(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool asks_nothing(const json& value) {
    if (value.is_array()) {
        return std::all_of(value.begin(), value.end(),
                           [](const json& item) { return !item.is_structured() && asks_nothing(item); });
    }
    if (value.is_object()) return value.empty();
    return value.is_null() || value == false || value == 0 || value == -1 || value == "";
}

}  // namespace

json parse_json(const std::string& text) {
    try {
        auto limit_depth = [&](int depth, json::parse_event_t, json&) {
            if (depth > kDepth) throw Error(Code::invalid_argument, "JSON: nested too deeply");
            return true;
        };
        return json::parse(text, limit_depth);
    } catch (const json::parse_error& e) {
        // The library's own words show what it read, which may be a secret.
        throw Error(Code::invalid_argument, "JSON: malformed at byte " + std::to_string(e.byte));
    } catch (const json::exception&) {
        throw Error(Code::invalid_argument, "JSON: a number is too large");
    }
}

json json_body(const Request& request) {
    std::string text = request.body();
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return kEmptyObject;
    json value = parse_json(text);
    if (value.is_null()) return kEmptyObject;
    if (!value.is_object()) throw Error(Code::invalid_argument, "the request's body is not a JSON object");
    return value;
}

Fields::Fields(const json& object, std::string path) : object_(&object), path_(std::move(path)) {
    if (!object.is_object()) throw Error(Code::invalid_argument, path_ + ": must be an object");
}

std::string Fields::path_of(const char* key) const {
    return path_.empty() ? key : path_ + "." + key;
}

void Fields::wrong(const char* key, const char* expected) const {
    throw Error(Code::invalid_argument, path_of(key) + ": must be " + expected);
}

const json* Fields::find(const char* key) const {
    auto found = object_->find(key);
    for (auto other = object_->begin(); found == object_->end() && other != object_->end(); ++other)
        if (same_name(other.key(), key)) found = other;
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::text(const char* key) const {
    const json* value = find(key);
    if (!value) return {};
    if (!value->is_string()) wrong(key, "a string");
    return value->get<std::string>();
}

bool Fields::flag(const char* key) const {
    const json* value = find(key);
    if (!value) return false;
    if (!value->is_boolean()) wrong(key, "true or false");
    return value->get<bool>();
}

int64_t Fields::number(const char* key) const {
    const json* value = find(key);
    if (!value) return 0;
    bool fits = value->is_number_integer() && (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
    if (!fits) wrong(key, "a whole number");
    return value->get<int64_t>();
}

std::optional<std::vector<std::string>> Fields::texts_if_any(const char* key) const {
    const json* value = find(key);
    if (!value) return std::nullopt;
    std::vector<std::string> result;
    if (value->is_string()) return std::vector<std::string>{value->get<std::string>()};
    if (!value->is_array()) wrong(key, "a list of strings");
    for (const json& item : *value) {
        if (!item.is_string()) wrong(key, "a list of strings");
        result.push_back(item.get<std::string>());
    }
    return result;
}

std::vector<std::string> Fields::texts(const char* key) const {
    return texts_if_any(key).value_or(std::vector<std::string>{});
}

std::map<std::string, std::string> Fields::text_map(const char* key) const {
    const json* value = find(key);
    std::map<std::string, std::string> result;
    if (!value) return result;
    if (!value->is_object()) wrong(key, "an object of strings");
    for (const auto& [name, item] : value->items()) {
        if (!item.is_string()) wrong(key, "an object of strings");
        result[name] = item.get<std::string>();
    }
    return result;
}

Fields Fields::object(const char* key) const {
    const json* value = find(key);
    return Fields(value ? *value : kEmptyObject, path_of(key));
}

std::vector<Fields> Fields::objects(const char* key) const {
    const json* value = find(key);
    std::vector<Fields> result;
    if (!value) return result;
    if (!value->is_array()) wrong(key, "a list of objects");
    for (size_t i = 0; i < value->size(); ++i) {
        result.emplace_back((*value)[i], path_of(key) + "[" + std::to_string(i) + "]");
    }
    return result;
}

std::vector<std::pair<std::string, Fields>> Fields::object_map(const char* key) const {
    const json* value = find(key);
    std::vector<std::pair<std::string, Fields>> result;
    if (!value) return result;
    if (!value->is_object()) wrong(key, "an object");
    for (const auto& [name, item] : value->items()) {
        result.emplace_back(name, Fields(item.is_null() ? kEmptyObject : item, path_of(key) + "." + name));
    }
    return result;
}

std::vector<std::string> Fields::keys() const {
    std::vector<std::string> result;
    for (const auto& [name, item] : object_->items()) result.push_back(name);
    return result;
}

void Fields::refuse_others(std::initializer_list<const char*> known) const {
    for (const auto& [name, value] : object_->items()) {
        auto is_name = [&name = name](const char* other) { return same_name(name, other); };
        if (std::any_of(known.begin(), known.end(), is_name) || asks_nothing(value)) continue;
        throw Error(Code::invalid_argument, path_of(name.c_str()) + ": is not supported by kedge");
    }
}

}  // namespace kedge::api
