#include "api/docker_json.h"
#include "api/filters.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/stream_time.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

namespace {

using Deadline = std::chrono::steady_clock::time_point;

std::string attribute(const runtime::Event& event, const std::string& name) {
    auto found = event.attributes.find(name);
    return found == event.attributes.end() ? std::string() : found->second;
}

/// Whether a filter that names an object (`container=web`) speaks of this event.
bool names(const Filters& filters, const std::string& type, const runtime::Event& event) {
    if (!filters.has(type)) return true;
    return event.type == type && (filters.exact(type, attribute(event, "name")) || filters.prefix(type, event.id));
}

bool wanted(const Filters& filters, const runtime::Event& event) {
    // `health_status: healthy` and `exec_start: sh` are also found by the word before the colon.
    bool action =
        filters.exact("event", event.action) || filters.exact("event", event.action.substr(0, event.action.find(':')));
    bool image =
        !filters.has("image") || filters.exact("image", attribute(event, "image")) || names(filters, "image", event);
    return action && image && filters.exact("type", event.type) && filters.labels(event.attributes) &&
           names(filters, "container", event) && names(filters, "network", event) && names(filters, "volume", event) &&
           names(filters, "project", event);
}

Response events(const Request& request, const Services& services) {
    Filters filters(
        request, {"type", "event", "container", "image", "network", "volume", "label", "project", "scope", "daemon"});
    WallTime since = parameter_time(request.parameter("since"));
    WallTime until = parameter_time(request.parameter("until"));
    runtime::Events& events = services.engine.events();
    uint64_t from = since == WallTime{} ? events.next() : 0;
    Deadline deadline = Deadline::max();
    if (until != WallTime{}) deadline = std::chrono::steady_clock::now() + (until - wall_now());
    std::stop_token stop = request.watch_client();
    Response response;
    response.stream = [=, &events](Writer& writer) {
        uint64_t next = from;
        bool there = true;
        while (there && !stop.stop_requested()) {
            uint64_t read = events.read(
                next,
                [&](const runtime::Event& event) {
                    if (!there || event.time < since || (until != WallTime{} && event.time > until)) return;
                    if (wanted(filters, event)) there = writer.write(to_text(event_json(event)) + "\n");
                },
                stop, deadline);
            if (read == next && std::chrono::steady_clock::now() >= deadline) break;
            next = read;
        }
    };
    return response;
}

}  // namespace

void add_event_routes(Router& router, const Services& services) {
    router.add("GET", "/events", [&services](const Request& request) { return events(request, services); });
}

}  // namespace kedge::api
