#include "runtime/images/index_file.h"

#include "base/error.h"
#include "runtime/images.h"
#include "runtime/images/media_types.h"

#include <nlohmann/json.hpp>

namespace kedge::runtime {

namespace {

using nlohmann::json;

constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr const char* kFullName = "io.containerd.image.name";
constexpr const char* kManifest = "io.kedge.image.manifest";
constexpr const char* kRepository = "io.kedge.image.repository";

/// Another tool may have written an entry; one whose name kedge could not speak of is kept without a name.
std::string read_name(const json& annotations) {
    std::string text = annotations.value(kFullName, annotations.value(kRefName, std::string()));
    if (text.empty()) return text;
    try {
        return Reference::parse(text).full();
    } catch (const Error&) {
        return {};
    }
}

}  // namespace

std::string index_text(const std::vector<BlobStore::Named>& names) {
    json manifests = json::array();
    for (const auto& named : names) {
        json annotations = json::object();
        if (!named.name.empty()) annotations[kRefName] = annotations[kFullName] = named.name;
        if (named.manifest != named.digest) annotations[kManifest] = named.manifest.str();
        if (!named.repository.empty()) annotations[kRepository] = named.repository;
        json entry{{"mediaType", named.media_type}, {"digest", named.digest.str()}, {"size", named.size}};
        if (!annotations.empty()) entry["annotations"] = std::move(annotations);
        manifests.push_back(std::move(entry));
    }
    json index{{"schemaVersion", 2}, {"mediaType", kOciIndex}, {"manifests", std::move(manifests)}};
    return index.dump(1, '\t', false, json::error_handler_t::replace) + "\n";
}

std::vector<BlobStore::Named> parse_index(const std::string& text) {
    try {
        json index = json::parse(text);
        std::vector<BlobStore::Named> names;
        for (const json& entry : index.at("manifests")) {
            const json annotations = entry.value("annotations", json::object());
            BlobStore::Named named;
            named.name = read_name(annotations);
            named.media_type = entry.at("mediaType").get<std::string>();
            named.digest = Digest::parse(entry.at("digest").get<std::string>());
            named.size = entry.at("size").get<int64_t>();
            std::string manifest = annotations.value(kManifest, std::string());
            named.manifest = manifest.empty() ? named.digest : Digest::parse(manifest);
            named.repository = annotations.value(kRepository, std::string());
            names.push_back(std::move(named));
        }
        return names;
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("index.json: ") + e.what());
    }
}

}  // namespace kedge::runtime
