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

/// An image's own words: what is no text is none.
std::string text_member(const json& object, const char* key) {
    if (!object.is_object()) return {};
    auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Bytes of the layers in the order of the history's lines; a line that made no layer has none.
std::vector<int64_t> history_sizes(const json& history, const ImageInfo& info) {
    std::vector<int64_t> sizes;
    size_t layer = 0;
    for (const json& item : history) {
        const bool empty = item.is_object() && item.value("empty_layer", json(false)) == true;
        sizes.push_back(empty || layer >= info.layer_sizes.size() ? 0 : info.layer_sizes[layer++]);
    }
    return sizes;
}

json list_or_null(const std::vector<std::string>& list) {
    return list.empty() ? json(nullptr) : json(list);
}

}  // namespace

json image_summary(const ImageInfo& info, int containers, int64_t shared) {
    return {{"Id", info.id.str()},
            {"ParentId", ""},
            {"RepoTags", info.tags},
            {"RepoDigests", info.repo_digests},
            {"Created", unix_seconds(info.created)},
            {"Size", info.size},
            {"SharedSize", shared},
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
                  {"OnBuild", list_or_null(config.on_build)}};
    if (!config.stop_signal.empty()) shown["StopSignal"] = config.stop_signal;
    if (!config.shell.empty()) shown["Shell"] = config.shell;
    if (config.healthcheck) shown["Healthcheck"] = healthcheck_json(*config.healthcheck);
    json layers = json::array();
    for (const Digest& layer : info.diff_ids) layers.push_back(layer.str());
    const json stored = json::parse(info.config_json, nullptr, false);
    const json history = stored.is_object() ? stored.value("history", json::array()) : json::array();
    std::string comment = text_member(stored, "comment");
    if (comment.empty() && history.is_array() && !history.empty()) comment = text_member(history.back(), "comment");
    json inspection = {{"Id", info.id.str()},
                       {"RepoTags", info.tags},
                       {"RepoDigests", info.repo_digests},
                       {"Parent", ""},
                       {"Comment", comment},
                       {"Created", format_time(info.created)},
                       {"DockerVersion", text_member(stored, "docker_version")},
                       {"Author", text_member(stored, "author")},
                       {"Config", shown},
                       {"Architecture", info.platform.architecture},
                       {"Os", info.platform.os},
                       {"Size", info.size},
                       {"GraphDriver", {{"Name", "overlay2"}, {"Data", nullptr}}},
                       {"RootFS", {{"Type", "layers"}, {"Layers", layers}}},
                       {"Metadata", {{"LastTagTime", format_time({})}}}};
    if (!info.platform.variant.empty()) inspection["Variant"] = info.platform.variant;
    return inspection;
}

json image_history(const ImageInfo& info) {
    json lines = json::array();
    json config = json::parse(info.config_json, nullptr, false);
    json history = config.is_object() ? config.value("history", json::array()) : json::array();
    if (!history.is_array()) return lines;
    const std::vector<int64_t> sizes = history_sizes(history, info);
    for (size_t i = history.size(); i-- > 0;) {
        if (!history[i].is_object()) continue;
        auto text = [&](const char* key) { return text_member(history[i], key); };
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
                         {"Size", sizes[i]},
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
