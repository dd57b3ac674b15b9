#pragma once

#include "api/http.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kedge::api {

/// JSON from outside: at most 64 levels deep. Throws Error (invalid_argument).
nlohmann::json parse_json(const std::string& text);

/// A request's JSON object; an absent body is an empty one.
nlohmann::json json_body(const Request& request);

/// Reads members of an object that came from outside, in whatever case their names are written. What is absent or null
/// is the default; another type than asked for is Error (invalid_argument) that names the member (`HostConfig.Memory:
/// must be a whole number`).
class Fields {
public:
    Fields(const nlohmann::json& object, std::string path);

    std::string text(const char* key) const;
    bool flag(const char* key) const;
    int64_t number(const char* key) const;
    std::vector<std::string> texts(const char* key) const;  ///< also of a single text
    std::optional<std::vector<std::string>> texts_if_any(const char* key) const;
    std::map<std::string, std::string> text_map(const char* key) const;
    Fields object(const char* key) const;
    std::vector<Fields> objects(const char* key) const;
    /// Names and values of a map of objects.
    std::vector<std::pair<std::string, Fields>> object_map(const char* key) const;
    std::vector<std::string> keys() const;

    bool has(const char* key) const { return find(key) != nullptr; }
    const nlohmann::json* find(const char* key) const;  ///< nullptr if absent or null
    /// Refuses members that ask for something kedge has not: all but `known` whose value isn't null, false, 0, -1, "",
    /// {} or [] or a list of these. What clients of newer versions send without being asked to is so accepted, and
    /// nothing is ignored.
    void refuse_others(std::initializer_list<const char*> known) const;
    std::string path_of(const char* key) const;

private:
    [[noreturn]] void wrong(const char* key, const char* expected) const;
    const nlohmann::json* object_;
    std::string path_;
};

}  // namespace kedge::api
