#include "runtime/images/pull.h"

#include "base/error.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/pull_layers.h"
#include "runtime/images/pull_manifest.h"
#include "runtime/images/registry_client.h"
#include "runtime/images/registry_errors.h"
#include "runtime/images/registry_media.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>

namespace kedge::runtime {

namespace {

constexpr size_t kDocumentLimit = 4u << 20;

/// A manifest or index.
struct Document {
    Digest digest;
    std::string media_type;
    std::string body;
};

std::optional<std::string> stored_document(const BlobStore& blobs, const Digest& digest) {
    if (!blobs.has(digest)) return std::nullopt;
    try {
        return blobs.read(digest, kDocumentLimit);
    } catch (const Error&) {
        return std::nullopt;  // damaged: it is fetched and stored again
    }
}

Document document_by_digest(const BlobStore& blobs, RegistryClient& client, const Digest& digest,
                            const std::string& what, const std::stop_token& stop) {
    if (auto body = stored_document(blobs, digest))
        return {digest, manifest_media_type({}, *body, what), std::move(*body)};
    RegistryClient::Manifest manifest = client.manifest(digest.str(), stop);
    return {manifest.digest, std::move(manifest.media_type), std::move(manifest.body)};
}

Document root_document(const BlobStore& blobs, RegistryClient& client, const Reference& reference,
                       const std::string& what, const std::stop_token& stop) {
    if (!reference.digest.empty()) return document_by_digest(blobs, client, reference.digest, what, stop);
    RegistryClient::Manifest manifest = client.manifest(reference.tag, stop);
    return {manifest.digest, std::move(manifest.media_type), std::move(manifest.body)};
}

void check_platform(const Platform& actual, const std::optional<Platform>& asked, const std::string& what) {
    if (actual.os != "linux")
        throw Error(Code::invalid_argument,
                    fmt::format("{} is for {}: only linux images can run here", what, actual.str()));
    if (asked && platform_rank(*asked, actual) < 0) {
        throw Error(
            Code::not_found,
            fmt::format(
                "image with reference {} was found but does not match the specified platform: wanted {}, actual: {}",
                what, asked->str(), actual.str()));
    }
}

/// Every blob once, with the content that its layer must have.
std::vector<LayerDescriptor> layers_of(const ImageManifest& manifest, const ConfigFacts& config,
                                       const std::string& what) {
    if (manifest.layers.size() != config.diff_ids.size()) {
        throw Error(Code::invalid_argument, fmt::format("{}: its manifest has {} layers and its config {}", what,
                                                        manifest.layers.size(), config.diff_ids.size()));
    }
    std::vector<LayerDescriptor> layers;
    std::map<Digest, Digest> seen;
    for (size_t i = 0; i < manifest.layers.size(); ++i) {
        const Descriptor& layer = manifest.layers[i];
        auto [entry, fresh] = seen.emplace(layer.digest, config.diff_ids[i]);
        if (fresh)
            layers.push_back({{layer}, config.diff_ids[i]});
        else if (entry->second != config.diff_ids[i]) {
            throw Error(Code::invalid_argument,
                        fmt::format("{}: layer {} can't be two different ones", what, layer.digest.str()));
        }
    }
    return layers;
}

void check_space(const BlobStore& blobs, const Digest& stored, const std::vector<LayerDescriptor>& layers,
                 const std::string& what) {
    int64_t needed = 0;
    for (const LayerDescriptor& layer : layers) {
        if (!is_stored(blobs, layer)) needed += layer.size;
    }
    struct statvfs space {};
    if (::fstatvfs(blobs.open(stored).get(), &space) != 0) throw_errno("statvfs");
    int64_t free = static_cast<int64_t>(space.f_bavail) * static_cast<int64_t>(space.f_frsize);
    if (needed > free) {
        throw Error(
            Code::resource_exhausted,
            fmt::format("{}: no space left on device: its layers need {} bytes, {} are free", what, needed, free));
    }
}

}  // namespace

Pulled pull_image(BlobStore& blobs, LayerStore& layers, const RegistrySettings& settings, int connections,
                  const Reference& reference, const PullOptions& options, const ProgressSink& sink,
                  std::stop_token stop, const KnownLayers& known) {
    const std::string what = reference.familiar();
    PullProgress progress(sink);
    RegistryClient client(settings, reference, options.credentials);
    progress.say(reference.digest.empty() ? reference.tag : reference.digest.str(), "Pulling from " + reference.path);

    Pulled pulled;
    Document document = root_document(blobs, client, reference, what, stop);
    pulled.media_type = document.media_type;
    pulled.size = static_cast<int64_t>(document.body.size());
    if (is_index(document.media_type)) {
        Descriptor chosen = choose_platform(document.body, options.platform.value_or(Platform::host()), what);
        pulled.index = blobs.put(document.body);
        document = document_by_digest(blobs, client, chosen.digest, what, stop);
        if (static_cast<int64_t>(document.body.size()) != chosen.size || document.media_type != chosen.media_type) {
            throw Error(Code::invalid_argument,
                        what + ": the manifest of " + chosen.digest.str() + " is not what its index says");
        }
    }
    ImageManifest manifest = read_manifest(document.body, what);
    pulled.manifest = blobs.put(document.body);

    if (manifest.config.size > static_cast<int64_t>(kDocumentLimit)) {
        throw Error(Code::invalid_argument,
                    fmt::format("{}: a config of {} bytes is too large", what, manifest.config.size));
    }
    std::optional<std::string> config = stored_document(blobs, manifest.config.digest);
    if (!config) config = fetch_document(client, manifest.config, what + ": config", stop);
    ConfigFacts facts = read_config(*config, what);
    check_platform(facts.platform, options.platform, what);
    pulled.config = blobs.put(*config);

    std::vector<LayerDescriptor> wanted = layers_of(manifest, facts, what);
    check_space(blobs, pulled.manifest, wanted, what);
    pull_layers(blobs, layers, client, connections, wanted, known, progress, stop);
    progress.say("", "Digest: " + (pulled.index.empty() ? pulled.manifest : pulled.index).str());
    return pulled;
}

}  // namespace kedge::runtime
