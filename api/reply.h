#pragma once

#include "api/http.h"

#include <nlohmann/json_fwd.hpp>

namespace kedge {
class Error;
}

namespace kedge::api {

/// The HTTP status that stands for an error's code.
int status_of(const Error& error);

/// Docker's error body, `{"message": ...}`, with kedge's code and hint beside it.
Response error_reply(const Error& error);
Response error_reply(int status, const std::string& message);

/// JSON as text; bytes that are not UTF-8 are replaced.
std::string to_text(const nlohmann::json& value);
Response json_reply(const nlohmann::json& value, int status = 200);
Response empty_reply(int status = 204);

/// The error's object as it is put into streams that have begun.
nlohmann::json error_json(const Error& error);

}  // namespace kedge::api
