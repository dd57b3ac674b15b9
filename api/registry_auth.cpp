#include "api/registry_auth.h"

#include "api/json_body.h"
#include "base/error.h"

#include <cstdint>

namespace kedge::api {

namespace {

/// Both alphabets, padded or not: clients differ.
std::string decode_base64(const std::string& text) {
    std::string bytes;
    uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 26
                    : c >= '0' && c <= '9' ? c - '0' + 52
                    : c == '-' || c == '+' ? 62
                    : c == '_' || c == '/' ? 63
                                           : -1;
        if (c == '=') break;
        if (value < 0) throw Error(Code::invalid_argument, "X-Registry-Auth: not base64");
        bits = bits << 6 | static_cast<uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
    }
    return bytes;
}

}  // namespace

std::optional<runtime::Credentials> read_registry_auth(const std::string& header) {
    std::string text = decode_base64(header);
    if (text.empty()) return std::nullopt;
    nlohmann::json value = parse_json(text);
    if (value.is_null()) return std::nullopt;
    Fields fields(value, "X-Registry-Auth");
    runtime::Credentials credentials{fields.text("username"), fields.text("password"), fields.text("registrytoken")};
    if (!fields.text("identitytoken").empty()) {
        throw Error(Code::invalid_argument, "X-Registry-Auth: identity tokens are not supported by kedge");
    }
    if (credentials.username.empty() && credentials.token.empty()) return std::nullopt;
    return credentials;
}

}  // namespace kedge::api
