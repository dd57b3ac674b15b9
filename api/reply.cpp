#include "api/reply.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;

int status_of(const Error& error) {
    switch (error.code()) {
        case Code::invalid_argument: return 400;
        case Code::unauthenticated: return 401;
        case Code::permission_denied: return 403;
        case Code::not_found: return 404;
        case Code::conflict: return 409;
        case Code::not_modified: return 304;
        case Code::resource_exhausted: return 507;
        case Code::unavailable: return 503;
        case Code::cancelled: return 500;
        case Code::internal: return 500;
    }
    return 500;
}

json error_json(const Error& error) {
    json value = {{"message", error.what()}, {"code", to_string(error.code())}};
    if (!error.hint().empty()) value["hint"] = error.hint();
    return value;
}

Response error_reply(const Error& error) {
    Response response;
    response.status = status_of(error);
    if (response.status != 304) response.body = to_text(error_json(error)) + "\n";
    return response;
}

Response error_reply(int status, const std::string& message) {
    return json_reply({{"message", message}}, status);
}

std::string to_text(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Response json_reply(const json& value, int status) {
    Response response;
    response.status = status;
    response.body = to_text(value) + "\n";
    return response;
}

Response empty_reply(int status) {
    Response response;
    response.status = status;
    return response;
}

}  // namespace kedge::api
