#include "runtime/images/stored_image.h"

#include "base/error.h"
#include "runtime/images/decompress.h"
#include "runtime/images/image_config.h"
#include "runtime/images/media_types.h"

#include <nlohmann/json.hpp>

namespace kedge::runtime {

namespace {

using nlohmann::json;

constexpr size_t kManifestLimit = 4u << 20;

std::string layer_type(Compression compression) {
    switch (compression) {
        case Compression::none: return std::string(kOciLayer);
        case Compression::gzip: return std::string(kOciLayerGzip);
        case Compression::zstd: return std::string(kOciLayerZstd);
        // The specification has no names for these; the content is told by its first bytes.
        case Compression::xz: return std::string(kOciLayer) + "+xz";
        case Compression::bzip2: return std::string(kOciLayer) + "+bzip2";
    }
    return std::string(kOciLayer);
}

}  // namespace

StoredImage read_stored_image(const BlobStore& blobs, const Digest& manifest) {
    StoredImage image;
    const std::string text = blobs.read(manifest, kManifestLimit);
    try {
        json root = json::parse(text);
        Digest config = Digest::parse(root.at("config").at("digest").get<std::string>());
        image.info = parse_image_config(blobs.read(config));
        image.media_type = root.value("mediaType", std::string(kOciManifest));
        for (const json& layer : root.at("layers")) {
            image.layers.push_back(Digest::parse(layer.at("digest").get<std::string>()));
        }
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, "manifest " + manifest.str() + ": " + e.what());
    } catch (const Error& e) {
        throw e.with_context("manifest " + manifest.str());
    }
    if (image.layers.size() != image.info.diff_ids.size()) {
        throw Error(Code::invalid_argument, "manifest " + manifest.str() + " has " +
                                                std::to_string(image.layers.size()) + " layers, its config " +
                                                std::to_string(image.info.diff_ids.size()));
    }
    image.info.manifest = manifest;
    image.manifest_size = static_cast<int64_t>(text.size());
    return image;
}

BlobStore::Named put_manifest(BlobStore& blobs, const Digest& config, const std::vector<StoredLayer>& layers) {
    json list = json::array();
    for (const StoredLayer& layer : layers) {
        list.push_back({{"mediaType", layer.media_type}, {"digest", layer.digest.str()}, {"size", layer.size}});
    }
    json root{{"schemaVersion", 2},
              {"mediaType", kOciManifest},
              {"config", {{"mediaType", kOciConfig}, {"digest", config.str()}, {"size", blobs.size(config)}}},
              {"layers", std::move(list)}};
    const std::string text = root.dump();
    BlobStore::Named named;
    named.media_type = kOciManifest;
    named.digest = named.manifest = blobs.put(text);
    named.size = static_cast<int64_t>(text.size());
    return named;
}

StoredLayer describe_layer(const BlobStore& blobs, const Digest& blob) {
    Fd fd = blobs.open(blob);
    return {layer_type(detect_compression(FdStream(fd.get()).head())), blob, blobs.size(blob)};
}

}  // namespace kedge::runtime
