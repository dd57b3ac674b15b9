#include "reconciler/difference.h"

#include "health/health.h"
#include "reconciler/labels.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::reconciler {

using nlohmann::json;

namespace {

constexpr size_t kShownValue = 60;

std::string shortened(const std::string& text) {
    if (text.size() <= kShownValue) return text;
    size_t end = kShownValue;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;  // not inside a character
    return text.substr(0, end) + "…";
}

std::string shown(const json& value) {
    if (value.is_null()) return "none";
    return shortened(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string short_digest(const Digest& digest) {
    return digest.empty() ? "none" : "sha256:" + digest.hex().substr(0, 12) + "…";
}

bool looks_secret(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    for (const char* word : {"PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "PRIVATE"}) {
        if (name.find(word) != std::string::npos) return true;
    }
    return false;
}

json environment_object(const std::vector<std::string>& environment) {
    json result = json::object();
    for (const std::string& entry : environment) {
        size_t equals = entry.find('=');
        result[entry.substr(0, equals)] = equals == std::string::npos ? "" : entry.substr(equals + 1);
    }
    return result;
}

/// Labels that are the same for every commit with the same configuration.
std::map<std::string, std::string> lasting_labels(const std::map<std::string, std::string>& labels) {
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : labels) {
        bool own = key.starts_with("com.docker.compose.") || key == kCommitLabel || key == kReleaseLabel;
        if (!own) result[key] = value;
    }
    return result;
}

/// The spec with the parts removed that differ for reasons of their own.
runtime::ContainerSpec comparable(runtime::ContainerSpec spec) {
    spec.name.clear();
    spec.image.clear();
    spec.image_name.clear();
    spec.labels = lasting_labels(spec.labels);
    std::sort(spec.environment.begin(), spec.environment.end());
    if (spec.network_mode.starts_with("container:")) spec.network_mode = "container:";
    for (runtime::NetworkAttachment& attachment : spec.networks) attachment.aliases.clear();
    std::sort(spec.networks.begin(), spec.networks.end(),
              [](const auto& a, const auto& b) { return a.network < b.network; });
    std::sort(spec.mounts.begin(), spec.mounts.end(), [](const auto& a, const auto& b) { return a.target < b.target; });
    return spec;
}

void add(std::string& text, const std::string& what, const json& from, const json& to, bool secret = false) {
    if (!text.empty()) text += "; ";
    if (from.is_null()) {
        text += what + " added";
        if (!secret) text += ": " + shown(to);
    } else if (to.is_null()) {
        text += what + " removed";
    } else {
        text += what + " changed";
        if (!secret) text += " from " + shown(from) + " to " + shown(to);
    }
}

void add_entries(std::string& text, const std::string& kind, const json& from, const json& to) {
    for (const auto& [key, value] : from.items()) {
        json other = to.contains(key) ? to[key] : json();
        if (other != value) add(text, kind + " " + key, value, other, looks_secret(key));
    }
    for (const auto& [key, value] : to.items()) {
        if (!from.contains(key)) add(text, kind + " " + key, json(), value, looks_secret(key));
    }
}

json without_places(json mounts) {
    for (json& mount : mounts) {
        if (mount.value("type", "") == "bind") {
            mount.erase("source");
            mount.erase("confined_to");
        }
    }
    return mounts;
}

}  // namespace

std::string difference(const ObservedContainer& old, const runtime::ContainerSpec& wanted, const Digest& image) {
    std::string text;
    if (!image.empty() && old.info.image_id != image) {
        text = "image changed from " + short_digest(old.info.image_id) + " to " + short_digest(image);
    } else if (old.info.spec.image_name != wanted.image_name) {
        add(text, "image name", old.info.spec.image_name, wanted.image_name);
    }
    json from = json::parse(to_json_text(comparable(old.info.spec)));
    json to = json::parse(to_json_text(comparable(wanted)));
    add_entries(text, "environment", environment_object(old.info.spec.environment),
                environment_object(wanted.environment));
    add_entries(text, "label", lasting_labels(old.info.spec.labels), lasting_labels(wanted.labels));
    for (const char* handled : {"environment", "labels"}) {
        from.erase(handled);
        to.erase(handled);
    }
    bool only_places = false;
    for (const auto& [key, value] : to.items()) {
        json other = from.contains(key) ? from[key] : json();
        if (other == value) continue;
        if (key == "mounts" && without_places(other) == without_places(value)) {
            only_places = true;
            continue;
        }
        add(text, key, other, value);
    }
    // The places of mounted files differ with every commit: they mean something only if nothing else differs.
    if (text.empty() && only_places) text = "mounted files changed";
    return text;
}

bool same_container(const runtime::ContainerSpec& made, const runtime::ContainerSpec& wanted) {
    return comparable(made) == comparable(wanted);
}

}  // namespace kedge::reconciler
