#include "api/audit.h"
#include "api/json_body.h"
#include "api/kedge_json.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/error.h"
#include "reconciler/controller.h"

#include <charconv>

namespace kedge::api {

using nlohmann::json;
using reconciler::Controller;

namespace {

using Progress = std::function<void(const std::string&)>;

std::string project_of(const Request& request) {
    return request.captures.at("project");
}

/// Streams `{"progress": line}` for each step, then `{"release": ...}` or `{"error": ...}`.
Response release_stream(const Request& request,
                        std::function<reconciler::Release(const Progress&, std::stop_token)> work) {
    std::stop_token stop = request.watch_client();
    Response response;
    response.content_type = "application/x-ndjson";
    response.stream = [work = std::move(work), stop](Writer& writer) {
        auto send = [&](const json& line) {
            (void)writer.write(to_text(line) + "\n");
        };  // a client that is gone requests the stop
        try {
            reconciler::Release release = work([&](const std::string& line) { send({{"progress", line}}); }, stop);
            send({{"release", release_json(release)}});
        } catch (const Error& error) {
            send({{"error", error_json(error)}});
        } catch (const std::exception& error) {
            send({{"error", {{"message", error.what()}, {"code", "internal"}}}});
        }
    };
    return response;
}

/// With drift: what people did to the project's containers last.
json with_changes(const reconciler::ProjectStatus& status, const AuditLog& audit) {
    constexpr size_t kShown = 3;
    json project = project_json(status);
    if (status.drift.empty()) return project;
    json changes = json::array();
    for (const Change& change : audit.list()) {
        bool about_it = change.project == status.project && !change.object.empty() && change.status < 400;
        if (about_it) changes.push_back(change_json(change));
        if (changes.size() > kShown) changes.erase(changes.begin());
    }
    project["changes"] = changes;
    return project;
}

Response status(const Services& services) {
    json projects = json::array(), sources = json::array();
    for (const auto& project : services.controller.status()) projects.push_back(with_changes(project, services.audit));
    for (const auto& source : services.controller.sources()) sources.push_back(source_json(source));
    return json_reply({{"device", services.device},
                       {"labels", services.labels},
                       {"version", version()},
                       {"started", format_time(services.started)},
                       {"sources", sources},
                       {"projects", projects}});
}

Response release(const Request& request, const Controller& controller) {
    const std::string& text = request.captures.at("number");
    int64_t number = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size())
        throw Error(Code::invalid_argument, "\"" + text + "\" is not a release's number");
    return json_reply(release_detail_json(controller.release(project_of(request), number)));
}

Response sync(const Request& request, Controller& controller) {
    std::string project = project_of(request);
    (void)controller.status(project);  // an unknown project is told by the status, not in the stream
    return release_stream(request, [&controller, project](const Progress& progress, std::stop_token stop) {
        return controller.sync(project, progress, stop);
    });
}

Response rollback(const Request& request, Controller& controller) {
    std::string project = project_of(request);
    json text = json_body(request);
    int64_t number = Fields(text, "").number("release");
    if (number < 0)
        throw Error(Code::invalid_argument, "release: must be a release's number, or 0 for the last good one");
    if (number > 0)
        (void)controller.release(project, number);
    else
        (void)controller.status(project);
    return release_stream(request, [&controller, project, number](const Progress& progress, std::stop_token stop) {
        return controller.rollback(project, number, progress, stop);
    });
}

void add_project_routes(Router& router, const Services& services) {
    Controller& controller = services.controller;
    const std::string kProject = "/kedge/v1/projects/{project}";
    router.add("GET", "/kedge/v1/projects", [&services](const Request&) {
        json projects = json::array();
        for (const auto& project : services.controller.status())
            projects.push_back(with_changes(project, services.audit));
        return json_reply(projects);
    });
    router.add("GET", kProject, [&services](const Request& r) {
        return json_reply(with_changes(services.controller.status(project_of(r)), services.audit));
    });
    router.add("GET", kProject + "/diff", [&controller](const Request& r) {
        return json_reply(diff_json(controller.diff(project_of(r), r.flag("fetch"))));
    });
    router.add("GET", kProject + "/releases", [&controller](const Request& r) {
        json releases = json::array();
        for (const auto& item : controller.history(project_of(r))) releases.push_back(release_json(item));
        return json_reply(releases);
    });
    router.add("GET", kProject + "/releases/{number}",
               [&controller](const Request& r) { return release(r, controller); });
    router.add("POST", kProject + "/sync", [&controller](const Request& r) { return sync(r, controller); });
    router.add("POST", kProject + "/rollback", [&controller](const Request& r) { return rollback(r, controller); });
    router.add("POST", kProject + "/hold", [&controller](const Request& r) {
        json text = json_body(r);
        controller.hold(project_of(r), Fields(text, "").text("reason"));
        return empty_reply();
    });
    router.add("POST", kProject + "/resume", [&controller](const Request& r) {
        controller.resume(project_of(r));
        return empty_reply();
    });
    router.add("POST", kProject + "/retry", [&controller](const Request& r) {
        controller.retry(project_of(r));
        return empty_reply();
    });
}

}  // namespace

void add_kedge_routes(Router& router, const Services& services) {
    Controller& controller = services.controller;
    router.add("GET", "/kedge/v1/status", [&services](const Request&) { return status(services); });
    router.add("GET", "/kedge/v1/sources", [&controller](const Request&) {
        json sources = json::array();
        for (const auto& source : controller.sources()) sources.push_back(source_json(source));
        return json_reply(sources);
    });
    router.add("POST", "/kedge/v1/wake", [&controller](const Request& request) {
        json text = json_body(request);
        controller.wake(Fields(text, "").text("source"));
        return empty_reply(202);
    });
    router.add("GET", "/kedge/v1/audit", [&services](const Request&) {
        json changes = json::array();
        for (const Change& change : services.audit.list()) changes.push_back(change_json(change));
        return json_reply(changes);
    });
    add_project_routes(router, services);
}

}  // namespace kedge::api
