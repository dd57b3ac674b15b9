#pragma once

#include "api/http.h"

#include <string>

namespace kedge::api {

/// Reads the body, of at most so many bytes, as routes do and answers in each of the ways that there are.
inline Response touch_everything(const Request& request, size_t limit) {
    std::string body = request.body(limit);
    (void)request.flag("all");
    Response response;
    response.body = std::to_string(body.size()) + request.parameter("name") + request.header("x-registry-auth");
    response.headers = {{"X-Path", request.path}};
    if (request.path.find("exec") != std::string::npos) {
        response.take_over = [](Duplex& duplex) {
            char buffer[100];
            while (size_t n = duplex.read(buffer, sizeof buffer)) duplex.write({buffer, n});
        };
    } else if (request.path.find("logs") != std::string::npos) {
        response.stream = [](Writer& writer) { writer.write("line\n"); };
    }
    return response;
}

}  // namespace kedge::api
