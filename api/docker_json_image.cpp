#include "api/docker_json.h"
#include "runtime/images.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;
using runtime::ImageInfo;

namespace {

json map_of(const std::vector<std::string>& keys) {
    json result = json::object();
    for (const std::string& key : keys) result[key] = json::object();
    return result;
}

json list_or_null(const std::vector<std::string>& list) {
    return list.empty() ? json(nullptr) : json(list);
}

/// A text of the image's own config; empty if there is none.
std::string config_text(const ImageInfo& info, const char* key) {
    json config = json::parse(info.config_json, nullptr, false);
    auto found = config.is_object() ? config.find(key) : config.end();
    return found != config.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

json image_summary(const ImageInfo& info, int containers) {
    return {{"Id", info.id.str()},
            {"ParentId", ""},
            {"RepoTags", info.tags},
            {"RepoDigests", info.repo_digests},
            {"Created", unix_seconds(info.created)},
            {"Size", info.size},
            {"VirtualSize", info.size},
            {"SharedSize", -1},
            {"Labels", info.config.labels.empty() ? json(nullptr) : json(info.config.labels)},
            {"Containers", containers}};
}

json image_inspection(const ImageInfo& info) {
    const runtime::ImageConfig& config = info.config;
    json shown = {{"User", config.user},
                  {"Env", config.environment},
                  {"Entrypoint", list_or_null(config.entrypoint)},
                  {"Cmd", list_or_null(config.command)},
                  {"WorkingDir", config.working_dir},
                  {"Labels", config.labels.empty() ? json(nullptr) : json(config.labels)},
                  {"ExposedPorts", config.exposed_ports.empty() ? json(nullptr) : map_of(config.exposed_ports)},
                  {"Volumes", config.volumes.empty() ? json(nullptr) : map_of(config.volumes)},
                  {"OnBuild", nullptr}};
    if (!config.stop_signal.empty()) shown["StopSignal"] = config.stop_signal;
    if (!config.shell.empty()) shown["Shell"] = config.shell;
    if (config.healthcheck) shown["Healthcheck"] = healthcheck_json(*config.healthcheck);
    json layers = json::array();
    for (const Digest& layer : info.diff_ids) layers.push_back(layer.str());
    return {{"Id", info.id.str()},
            {"RepoTags", info.tags},
            {"RepoDigests", info.repo_digests},
            {"Parent", ""},
            {"Comment", config_text(info, "comment")},
            {"Created", format_time(info.created)},
            {"Author", config_text(info, "author")},
            {"Config", shown},
            {"Architecture", info.platform.architecture},
            {"Variant", info.platform.variant},
            {"Os", info.platform.os},
            {"Size", info.size},
            {"VirtualSize", info.size},
            {"GraphDriver", {{"Name", "overlay2"}, {"Data", nullptr}}},
            {"RootFS", {{"Type", "layers"}, {"Layers", layers}}},
            {"Metadata", {{"LastTagTime", format_time({})}}}};
}

json image_history(const ImageInfo& info) {
    json lines = json::array();
    json config = json::parse(info.config_json, nullptr, false);
    json history = config.is_object() ? config.value("history", json::array()) : json::array();
    for (auto item = history.rbegin(); item != history.rend(); ++item) {
        if (!item->is_object()) continue;
        auto text = [&](const char* key) {
            auto found = item->find(key);
            return found != item->end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        int64_t created = 0;
        try {
            created = unix_seconds(parse_time(text("created")));
        } catch (const std::exception&) {
            created = 0;  // an image's own words; a bad time is no time
        }
        lines.push_back({{"Id", lines.empty() ? info.id.str() : "<missing>"},
                         {"Created", created},
                         {"CreatedBy", text("created_by")},
                         {"Tags", lines.empty() ? json(info.tags) : json(nullptr)},
                         {"Size", 0},
                         {"Comment", text("comment")}});
    }
    return lines;
}

json progress_json(const runtime::Progress& progress) {
    json line = {{"status", progress.status}};
    if (!progress.id.empty()) line["id"] = progress.id;
    line["progressDetail"] = json::object();
    if (progress.current > 0 || progress.total > 0) {
        line["progressDetail"] = {{"current", progress.current}};
        if (progress.total > 0) line["progressDetail"]["total"] = progress.total;
    }
    return line;
}

}  // namespace kedge::api
