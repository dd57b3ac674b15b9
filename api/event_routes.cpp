#include "api/docker_json.h"
#include "api/filters.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/stream_time.h"
#include "runtime/engine.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

namespace {

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

/// The part of the past and the future that is asked for.
struct Window {
    WallTime since, until;
    bool has(WallTime time) const { return time >= since && (until == WallTime{} || time <= until); }
};

class EventFeed : public Feed {
public:
    EventFeed(const runtime::Events& events, Filters filters, Window window, uint64_t next)
        : events_(events), filters_(std::move(filters)), window_(window), next_(next) {
        if (window.until != WallTime{}) deadline_ = std::chrono::steady_clock::now() + (window.until - wall_now());
    }

    runtime::Events::Subscription subscription;

    State fill(std::string& out) override {
        bool late = std::chrono::steady_clock::now() >= deadline_;
        auto add = [&](const runtime::Event& event) {
            if (window_.has(event.time) && wanted(filters_, event)) out += to_text(event_json(event)) + "\n";
        };
        uint64_t next = events_.read_now(next_, add, kAtOnce);
        bool more = next - next_ >= kAtOnce;
        next_ = next;
        if (more) return State::more;
        return late ? State::ended : State::waiting;
    }
    Time deadline() const override { return deadline_; }

private:
    static constexpr size_t kAtOnce = 64;
    const runtime::Events& events_;
    Filters filters_;
    Window window_;
    uint64_t next_;
    Time deadline_ = Time::max();
};

Response events(const Request& request, const Services& services) {
    Filters filters(
        request, {"type", "event", "container", "image", "network", "volume", "label", "project", "scope", "daemon"});
    Window window{parameter_time(request.parameter("since")), parameter_time(request.parameter("until"))};
    runtime::Events& events = services.engine.events();
    uint64_t from = window.since == WallTime{} ? events.next() : 0;
    Response response;
    response.feed = [=, &events](std::function<void()> wake) {
        auto feed = std::make_unique<EventFeed>(events, filters, window, from);
        feed->subscription = events.subscribe(std::move(wake));
        return feed;
    };
    return response;
}

}  // namespace

void add_event_routes(Router& router, const Services& services) {
    router.add("GET", "/events", [&services](const Request& request) { return events(request, services); });
}

}  // namespace kedge::api
