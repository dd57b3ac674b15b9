#include "runtime/images/image_config.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace kedge::runtime {

namespace {

using nlohmann::json;

/// Docker writes null for what is empty.
template <typename T>
T value(const json& object, const char* key) {
    auto found = object.find(key);
    return found == object.end() || found->is_null() ? T{} : found->get<T>();
}

std::vector<std::string> keys(const json& object, const char* key) {
    std::vector<std::string> names;
    auto found = object.find(key);
    if (found == object.end() || found->is_null()) return names;
    for (const auto& [name, unused] : found->get_ref<const json::object_t&>()) names.push_back(name);
    return names;
}

Healthcheck read_healthcheck(const json& from) {
    Healthcheck check;
    check.test = value<std::vector<std::string>>(from, "Test");
    check.interval = Nanoseconds(value<int64_t>(from, "Interval"));
    check.timeout = Nanoseconds(value<int64_t>(from, "Timeout"));
    check.start_period = Nanoseconds(value<int64_t>(from, "StartPeriod"));
    check.start_interval = Nanoseconds(value<int64_t>(from, "StartInterval"));
    check.retries = value<int>(from, "Retries");
    return check;
}

ImageConfig read_config(const json& from) {
    ImageConfig config;
    config.user = value<std::string>(from, "User");
    config.environment = value<std::vector<std::string>>(from, "Env");
    config.entrypoint = value<std::vector<std::string>>(from, "Entrypoint");
    config.command = value<std::vector<std::string>>(from, "Cmd");
    config.working_dir = value<std::string>(from, "WorkingDir");
    config.stop_signal = value<std::string>(from, "StopSignal");
    config.volumes = keys(from, "Volumes");
    config.exposed_ports = keys(from, "ExposedPorts");
    config.labels = value<std::map<std::string, std::string>>(from, "Labels");
    config.shell = value<std::vector<std::string>>(from, "Shell");
    config.on_build = value<std::vector<std::string>>(from, "OnBuild");
    if (auto check = from.find("Healthcheck"); check != from.end() && !check->is_null()) {
        config.healthcheck = read_healthcheck(*check);
    }
    return config;
}

json write_healthcheck(const Healthcheck& check) {
    json to{{"Test", check.test}};
    if (check.interval.count()) to["Interval"] = check.interval.count();
    if (check.timeout.count()) to["Timeout"] = check.timeout.count();
    if (check.start_period.count()) to["StartPeriod"] = check.start_period.count();
    if (check.start_interval.count()) to["StartInterval"] = check.start_interval.count();
    if (check.retries) to["Retries"] = check.retries;
    return to;
}

json set_of(const std::vector<std::string>& names) {
    json to = json::object();
    for (const std::string& name : names) to[name] = json::object();
    return to;
}

json write_config(const ImageConfig& config) {
    json to = json::object();
    if (!config.user.empty()) to["User"] = config.user;
    if (!config.environment.empty()) to["Env"] = config.environment;
    if (!config.entrypoint.empty()) to["Entrypoint"] = config.entrypoint;
    if (!config.command.empty()) to["Cmd"] = config.command;
    if (!config.working_dir.empty()) to["WorkingDir"] = config.working_dir;
    if (!config.stop_signal.empty()) to["StopSignal"] = config.stop_signal;
    if (!config.volumes.empty()) to["Volumes"] = set_of(config.volumes);
    if (!config.exposed_ports.empty()) to["ExposedPorts"] = set_of(config.exposed_ports);
    if (!config.labels.empty()) to["Labels"] = config.labels;
    if (!config.shell.empty()) to["Shell"] = config.shell;
    if (!config.on_build.empty()) to["OnBuild"] = config.on_build;
    if (config.healthcheck) to["Healthcheck"] = write_healthcheck(*config.healthcheck);
    return to;
}

}  // namespace

ImageInfo parse_image_config(const std::string& text) {
    try {
        json root = json::parse(text);
        ImageInfo info;
        info.id = Digest::of(text);
        info.config_json = text;
        std::string created = value<std::string>(root, "created");
        if (!created.empty()) info.created = parse_time(created);
        info.platform.os = value<std::string>(root, "os");
        if (info.platform.os.empty()) info.platform.os = "linux";
        info.platform.architecture = value<std::string>(root, "architecture");
        info.platform.variant = value<std::string>(root, "variant");
        info.config =
            read_config(root.contains("config") && !root["config"].is_null() ? root["config"] : json::object());
        for (const std::string& diff_id : value<std::vector<std::string>>(root.at("rootfs"), "diff_ids")) {
            info.diff_ids.push_back(Digest::parse(diff_id));
        }
        return info;
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("image config: ") + e.what());
    } catch (const Error& e) {
        throw e.with_context("image config");
    }
}

std::string make_image_config(const ImageConfig& config, const Platform& platform, const Digest& diff_id,
                              WallTime created, const std::string& message) {
    const std::string time = format_time(created);
    json history{{"created", time}};
    if (!message.empty()) history["comment"] = message;
    json root{{"created", time},
              {"architecture", platform.architecture},
              {"os", platform.os},
              {"config", write_config(config)},
              {"rootfs", {{"type", "layers"}, {"diff_ids", json::array({diff_id.str()})}}},
              {"history", json::array({history})}};
    if (!platform.variant.empty()) root["variant"] = platform.variant;
    return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string make_child_config(const std::string& parent, const ChildImage& child, const Digest& diff_id,
                              WallTime created) {
    const std::string time = format_time(created);
    json history{{"created", time}, {"created_by", child.created_by}};
    if (!child.author.empty()) history["author"] = child.author;
    if (!child.message.empty()) history["comment"] = child.message;
    if (diff_id.empty()) history["empty_layer"] = true;
    try {
        const json old = json::parse(parent);
        // What else the parent's says (who built it, with what) is not true of this one.
        json root{{"created", time},
                  {"architecture", old.value("architecture", "")},
                  {"os", old.value("os", "linux")},
                  {"config", write_config(child.config)},
                  {"container", child.container},
                  {"rootfs", old.at("rootfs")},
                  {"history", old.value("history", json::array())}};
        if (old.contains("variant")) root["variant"] = old["variant"];
        if (!child.author.empty()) root["author"] = child.author;
        if (!child.message.empty()) root["comment"] = child.message;
        if (!diff_id.empty()) root["rootfs"]["diff_ids"].push_back(diff_id.str());
        root["history"].push_back(std::move(history));
        return root.dump(-1, ' ', false, json::error_handler_t::replace);
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("image config: ") + e.what());
    }
}

}  // namespace kedge::runtime
