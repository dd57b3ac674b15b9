#include "runtime/images/pull_manifest.h"

#include "base/error.h"
#include "runtime/images/registry_media.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace kedge::runtime {

namespace {

using Json = nlohmann::json;

// The kernel stacks at most 500 lower folders in one overlay.
constexpr size_t kMaxLayers = 500;

const Json& member(const Json& object, const char* name) {
    static const Json kNone;
    if (!object.is_object()) return kNone;
    auto found = object.find(name);
    return found == object.end() ? kNone : *found;
}

std::string text(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

Json parse(const std::string& body, const std::string& what) {
    Json json = Json::parse(body, nullptr, false);
    if (!json.is_object()) throw Error(Code::invalid_argument, what + ": not a JSON object");
    return json;
}

Descriptor read_descriptor(const Json& json, const std::string& what) {
    Descriptor descriptor;
    descriptor.media_type = text(json, "mediaType");
    try {
        descriptor.digest = Digest::parse(text(json, "digest").substr(0, 100));
    } catch (const Error& e) {
        throw e.with_context(what);
    }
    const Json& size = member(json, "size");
    if (!size.is_number_integer() || size < 0 || size > int64_t{1} << 50) {
        throw Error(Code::invalid_argument, what + ": size is not a number of bytes");
    }
    descriptor.size = size.get<int64_t>();
    return descriptor;
}

Descriptor read_layer(const Json& json, const std::string& what) {
    Descriptor layer = read_descriptor(json, what);
    if (is_foreign_layer(layer.media_type) || member(json, "urls").size() > 0) {
        throw Error(Code::invalid_argument,
                    what + ": foreign layers, which have to be fetched from elsewhere, are not supported");
    }
    if (!is_layer(layer.media_type)) {
        throw Error(Code::invalid_argument, fmt::format("{}: not a layer but {:.100}", what, layer.media_type));
    }
    return layer;
}

/// Platform::parse knows the many names of the same thing.
std::optional<Platform> read_platform(const Json& json) {
    std::string name = text(json, "os") + "/" + text(json, "architecture");
    if (std::string variant = text(json, "variant"); !variant.empty()) name += "/" + variant;
    try {
        return Platform::parse(name);
    } catch (const Error&) {
        return std::nullopt;
    }
}

int number_of(const std::string& variant, int unnamed) {
    if (variant.empty()) return unnamed;
    if (variant.size() != 2 || variant[0] != 'v' || variant[1] < '1' || variant[1] > '9') return -1;
    return variant[1] - '0';
}

bool is_attestation(const Json& entry) {
    return text(member(entry, "annotations"), "vnd.docker.reference.type") == "attestation-manifest" ||
           text(member(entry, "platform"), "architecture") == "unknown";
}

}  // namespace

int platform_rank(const Platform& wanted, const Platform& offered) {
    if (wanted.os != offered.os) return -1;
    auto downwards = [](int from, int to) { return from > 0 && to > 0 && to <= from ? from - to : -1; };
    if (wanted.architecture == offered.architecture) {
        if (wanted.variant == offered.variant) return 0;
        if (wanted.architecture == "arm") return downwards(number_of(wanted.variant, 7), number_of(offered.variant, 7));
        if (wanted.architecture == "amd64")
            return downwards(number_of(wanted.variant, 1), number_of(offered.variant, 1));
        if (wanted.architecture == "arm64")
            return downwards(number_of(wanted.variant, 8), number_of(offered.variant, 8));
        return -1;
    }
    // Processors that also run the older architecture: the last resort.
    constexpr int kOther = 100;
    if (wanted.architecture == "arm64" && offered.architecture == "arm") {
        int rank = downwards(8, number_of(offered.variant, 7));
        return rank < 0 ? -1 : kOther + rank;
    }
    if (wanted.architecture == "amd64" && offered.architecture == "386") return kOther;
    return -1;
}

ImageManifest read_manifest(const std::string& body, const std::string& what) {
    Json json = parse(body, what);
    ImageManifest manifest;
    manifest.config = read_descriptor(member(json, "config"), what + ": config");
    if (!is_config(manifest.config.media_type)) {
        throw Error(Code::invalid_argument, fmt::format("{} is not a container image: its config is {:.100}", what,
                                                        manifest.config.media_type));
    }
    const Json& layers = member(json, "layers");
    if (!layers.is_array()) throw Error(Code::invalid_argument, what + ": layers is not a list");
    if (layers.size() > kMaxLayers) {
        throw Error(Code::invalid_argument, fmt::format("{}: {} layers are more than the {} that can be stacked", what,
                                                        layers.size(), kMaxLayers));
    }
    for (size_t i = 0; i < layers.size(); ++i)
        manifest.layers.push_back(read_layer(layers[i], fmt::format("{}: layers[{}]", what, i)));
    return manifest;
}

Descriptor choose_platform(const std::string& index, const Platform& wanted, const std::string& what) {
    Json json = parse(index, what);
    const Json& entries = member(json, "manifests");
    if (!entries.is_array()) throw Error(Code::invalid_argument, what + ": manifests is not a list");
    const Json* best = nullptr;
    int best_rank = 0;
    std::string available;
    for (const Json& entry : entries) {
        if (is_attestation(entry)) continue;
        std::optional<Platform> offered = read_platform(member(entry, "platform"));
        // An index may leave the platform out; that is an answer only if there is nothing to choose from.
        if (!offered && (entries.size() > 1 || !member(entry, "platform").is_null())) continue;
        if (offered && available.size() < 500) available += (available.empty() ? "" : ", ") + offered->str();
        int rank = offered ? platform_rank(wanted, *offered) : 0;
        if (rank < 0 || (best && rank >= best_rank)) continue;
        best = &entry;
        best_rank = rank;
    }
    if (!best) {
        throw Error(Code::not_found,
                    fmt::format("{}: no matching manifest for {} in the manifest list entries: available are {}", what,
                                wanted.str(), available.empty() ? "none" : available));
    }
    Descriptor chosen = read_descriptor(*best, what + ": manifest for " + wanted.str());
    if (is_index(chosen.media_type))
        throw Error(Code::invalid_argument, what + ": an index in an index is not supported");
    if (!is_manifest(chosen.media_type)) {
        throw Error(Code::invalid_argument, fmt::format("{}: the entry for {} is not an image but {:.100}", what,
                                                        wanted.str(), chosen.media_type));
    }
    return chosen;
}

std::vector<Platform> platforms_of(const std::string& index, const std::string& what) {
    const Json json = parse(index, what);
    std::vector<Platform> platforms;
    for (const Json& entry : member(json, "manifests")) {
        std::optional<Platform> platform =
            is_attestation(entry) ? std::nullopt : read_platform(member(entry, "platform"));
        if (platform) platforms.push_back(*platform);
    }
    return platforms;
}

ConfigFacts read_config(const std::string& body, const std::string& what) {
    Json json = parse(body, what + ": config");
    ConfigFacts facts;
    std::optional<Platform> platform = read_platform(json);
    if (!platform) throw Error(Code::invalid_argument, what + ": config names no os and architecture");
    facts.platform = *platform;
    const Json& rootfs = member(json, "rootfs");
    const Json& ids = member(rootfs, "diff_ids");
    if (text(rootfs, "type") != "layers" || !ids.is_array())
        throw Error(Code::invalid_argument, what + ": config has no rootfs of layers");
    for (const Json& id : ids) {
        try {
            facts.diff_ids.push_back(
                Digest::parse(id.is_string() ? id.get<std::string>().substr(0, 100) : std::string()));
        } catch (const Error& e) {
            throw e.with_context(what + ": config: rootfs.diff_ids");
        }
    }
    return facts;
}

}  // namespace kedge::runtime
