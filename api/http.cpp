#include "api/http.h"

#include "base/error.h"

#include <algorithm>

namespace kedge::api {

std::string Request::parameter(const std::string& name) const {
    auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
}

bool Request::flag(const std::string& name, bool absent) const {
    auto found = query.find(name);
    if (found == query.end()) return absent;
    std::string value = found->second;
    std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
    return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "none");
}

std::string Request::header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

std::string Request::body(size_t limit) const {
    std::string data;
    bool too_large = false;
    read_body([&](std::string_view piece) {
        if (data.size() + piece.size() > limit) {
            too_large = true;
            return false;
        }
        data.append(piece);
        return true;
    });
    if (too_large) {
        throw Error(Code::invalid_argument, "the request's body has more than " + std::to_string(limit) + " bytes");
    }
    return data;
}

}  // namespace kedge::api
