#include "api/kedge_json.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;

namespace {

void put(json& value, const char* key, const std::string& text) {
    if (!text.empty()) value[key] = text;
}

void put(json& value, const char* key, WallTime time) {
    if (time != WallTime{}) value[key] = format_time(time);
}

}  // namespace

json release_json(const reconciler::Release& release) {
    json value = {{"project", release.project},
                  {"number", release.number},
                  {"state", reconciler::to_string(release.state)},
                  {"quarantined", release.quarantined},
                  {"services", release.verdicts}};
    put(value, "commit", release.commit);
    put(value, "ref", release.ref);
    put(value, "subject", release.subject);
    put(value, "cause", release.cause);
    put(value, "error", release.error);
    put(value, "created", release.created);
    put(value, "applied", release.applied);
    put(value, "finished", release.finished);
    if (release.next_retry) put(value, "next_retry", *release.next_retry);
    return value;
}

json release_detail_json(const reconciler::Release& release) {
    json value = release_json(release);
    json images = json::object();
    for (const auto& [service, id] : release.target.images) images[service] = id.str();
    value["images"] = images;
    sources::Project project = release.target.project;
    for (auto& [name, secret] : project.secrets) secret.content.clear();  // whoever may look need not know them
    value["target"] = json::parse(sources::to_json_text(project), nullptr, false);
    return value;
}

json project_json(const reconciler::ProjectStatus& status) {
    json services = json::array();
    for (const reconciler::ServiceStatus& service : status.services) {
        services.push_back({{"service", service.service},
                            {"image", service.image},
                            {"running", service.running},
                            {"desired", service.desired},
                            {"health", service.health}});
    }
    json value = {{"project", status.project}, {"source", status.source},           {"held", status.held},
                  {"drift", status.drift},     {"quarantined", status.quarantined}, {"services", services}};
    if (!status.warnings.empty()) value["warnings"] = status.warnings;
    put(value, "commit", status.commit);
    put(value, "hold_reason", status.hold_reason);
    put(value, "error", status.error);
    if (status.current) value["current"] = release_json(*status.current);
    if (status.good) value["good"] = release_json(*status.good);
    return value;
}

json source_json(const reconciler::SourceStatus& status) {
    json value = {{"name", status.name}, {"url", status.url}, {"ref", status.ref}, {"polling", status.polling}};
    if (status.commit) {
        value["commit"] = {{"id", status.commit->id},
                           {"ref", status.commit->ref},
                           {"author", status.commit->author},
                           {"subject", status.commit->subject},
                           {"time", format_time(status.commit->time)}};
    }
    put(value, "error", status.error);
    put(value, "last_poll", status.last_poll);
    put(value, "next_poll", status.next_poll);
    put(value, "last_success", status.last_success);
    return value;
}

json diff_json(const reconciler::Controller::Diff& diff) {
    json steps = json::array();
    for (const reconciler::Step& step : diff.plan.steps) {
        steps.push_back({{"kind", reconciler::kind(step.action)},
                         {"does", reconciler::describe(step.action)},
                         {"reason", step.reason}});
    }
    json value = {{"changes", !diff.plan.empty()}, {"steps", steps}};
    put(value, "commit", diff.commit);
    put(value, "subject", diff.subject);
    if (!diff.warnings.empty()) value["warnings"] = diff.warnings;
    put(value, "note", diff.note);
    return value;
}

}  // namespace kedge::api
