#pragma once

#include "api/http.h"

#include <string>
#include <string_view>
#include <vector>

namespace kedge::api {

/// Which handler a method and path belong to. Patterns are made of segments: `/containers/{id}/json`; `{name...}`
/// stands for one or more segments (image names have slashes).
class Router {
public:
    void add(const std::string& method, const std::string& pattern, Handler handler);

    /// Calls the first handler that fits, with the request's captures. Unknown paths and methods are 404 and 405 as
    /// Docker words them. HEAD is served by GET's.
    Response route(Request& request) const;

private:
    struct Route {
        std::string method;
        std::vector<std::string> segments;
        Handler handler;
    };
    std::vector<Route> routes_;
};

/// Segments of a path; empty ones are dropped.
std::vector<std::string> split_path(std::string_view path);

}  // namespace kedge::api
