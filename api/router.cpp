#include "api/router.h"

#include "api/reply.h"

#include <algorithm>

namespace kedge::api {

namespace {

using Segments = std::vector<std::string>;
using Captures = std::map<std::string, std::string>;

bool matches(const Segments& pattern, size_t p, const Segments& path, size_t i, Captures& captures) {
    if (p == pattern.size()) return i == path.size();
    if (i == path.size()) return false;
    const std::string& segment = pattern[p];
    if (segment.front() != '{') return segment == path[i] && matches(pattern, p + 1, path, i + 1, captures);
    bool several = segment.ends_with("...}");
    std::string name = segment.substr(1, segment.size() - (several ? 5 : 2));
    std::string value = path[i];
    while (true) {
        if (matches(pattern, p + 1, path, i + 1, captures)) {
            captures[name] = value;
            return true;
        }
        if (!several || ++i == path.size()) return false;
        value += "/" + path[i];
    }
}

}  // namespace

std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty()) {
        size_t slash = std::min(path.find('/'), path.size());
        if (slash > 0) segments.emplace_back(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return segments;
}

void Router::add(const std::string& method, const std::string& pattern, Handler handler) {
    routes_.push_back({method, split_path(pattern), std::move(handler)});
}

Response Router::route(Request& request) const {
    Segments path = split_path(request.path);
    auto serves = [&](const Route& route) {
        return route.method == request.method || (route.method == "GET" && request.method == "HEAD");
    };
    for (const Route& route : routes_) {
        Captures captures;
        if (!serves(route) || !matches(route.segments, 0, path, 0, captures)) continue;
        request.captures = std::move(captures);
        return route.handler(request);
    }
    const bool other_method = std::any_of(routes_.begin(), routes_.end(), [&](const Route& route) {
        Captures captures;
        return matches(route.segments, 0, path, 0, captures);
    });
    if (other_method) return error_reply(405, request.method + " " + request.path + ": method not allowed");
    return error_reply(404, "page not found");
}

}  // namespace kedge::api
