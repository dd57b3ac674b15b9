#include "runtime/images/registry_media.h"

#include "base/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace kedge::runtime {

bool is_manifest(std::string_view media_type) {
    return media_type == kOciManifest || media_type == kDockerManifest;
}
bool is_config(std::string_view media_type) {
    return media_type == kOciConfig || media_type == kDockerConfig;
}

bool is_layer(std::string_view media_type) {
    static constexpr std::array<std::string_view, 6> kLayers{
        kOciLayer,
        kOciLayerGzip,
        kOciLayerZstd,
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    };
    return std::find(kLayers.begin(), kLayers.end(), media_type) != kLayers.end();
}

bool is_foreign_layer(std::string_view media_type) {
    return media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar") ||
           media_type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar");
}

namespace {

std::string without_parameters(std::string_view content_type) {
    content_type = content_type.substr(0, content_type.find(';'));
    while (content_type.ends_with(' ')) content_type.remove_suffix(1);
    return std::string(content_type);
}

bool says_something(const std::string& type) {
    return !type.empty() && type != "application/json" && type != "text/plain" && type != "application/octet-stream";
}

}  // namespace

std::string manifest_media_type(const std::string& content_type, const std::string& body, const std::string& what) {
    auto fail = [&](const std::string& why, const char* hint = "") {
        throw Error(Code::invalid_argument, what + " " + why, hint);
    };
    auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object()) fail("is not a JSON object");
    auto version = json.find("schemaVersion");
    if (version != json.end() && *version == 1) {
        fail("is in schema 1, which is not supported", "push the image again with a current tool");
    }
    if (version == json.end() || *version != 2) fail("has no schemaVersion 2");
    std::string own;
    if (auto type = json.find("mediaType"); type != json.end()) {
        if (!type->is_string()) fail("has a mediaType that is not a string");
        own = type->get<std::string>();
    }
    std::string header = without_parameters(content_type);
    if (says_something(header) && !own.empty() && header != own) {
        fail(fmt::format("was sent as {:.100} but says it is {:.100}", header, own));
    }
    std::string type = says_something(header) ? header : own;
    if (type.empty()) type = json.contains("manifests") ? kOciIndex : kOciManifest;
    if (!is_index(type) && !is_manifest(type))
        fail(fmt::format("is neither an image nor an index of images but {:.100}", type));
    // A document that could be read either way would be one image for us and another for a scanner.
    if (json.contains(is_index(type) ? "layers" : "manifests")) fail("has both layers and manifests");
    return type;
}

}  // namespace kedge::runtime
