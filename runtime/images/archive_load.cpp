#include "runtime/images/archive_load.h"

#include "base/error.h"
#include "runtime/images/archive_files.h"
#include "runtime/images/image_config.h"
#include "runtime/images/layer_store.h"
#include "runtime/images/media_types.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace kedge::runtime {

namespace {

using nlohmann::json;

/// Go's tools write null for what is empty.
json object_in(const json& from, const char* key) {
    auto found = from.find(key);
    return found == from.end() || found->is_null() ? json::object() : *found;
}

/// One archive on its way into the stores.
class Load {
public:
    Load(BlobStore& blobs, LayerStore& layers, ArchiveFiles& files, KnownLayers known, const ProgressSink& progress,
         std::stop_token stop)
        : blobs_(blobs),
          layers_(layers),
          files_(files),
          known_(std::move(known)),
          progress_(progress),
          stop_(std::move(stop)) {}

    std::vector<LoadedImage> run() {
        // Newer archives have both; the index keeps the image's own manifest.
        if (files_.has("index.json") && files_.has("oci-layout")) return load_oci();
        if (files_.has("manifest.json")) return load_docker();
        throw Error(Code::invalid_argument, "not an image archive: there is neither manifest.json nor index.json in it",
                    "a root file system is taken in by import");
    }

private:
    std::vector<LoadedImage> load_docker() {
        std::vector<LoadedImage> images;
        for (const json& item : json::parse(files_.text("manifest.json"))) {
            const Digest config = files_.blob(item.at("Config").get<std::string>());
            ImageInfo info = parse_image_config(blobs_.read(config));
            std::vector<StoredLayer> layers;
            for (const json& path : item.at("Layers")) {
                layers.push_back(describe_layer(blobs_, files_.blob(path.get<std::string>())));
            }
            LoadedImage image;
            image.entry = put_manifest(blobs_, config, layers);
            if (auto tags = item.find("RepoTags"); tags != item.end() && !tags->is_null()) {
                for (const json& tag : *tags) image.names.push_back(Reference::parse(tag.get<std::string>()).full());
            }
            unpack(image.entry.manifest);
            images.push_back(std::move(image));
        }
        return images;
    }

    std::vector<LoadedImage> load_oci() {
        std::vector<LoadedImage> images;
        const json index = json::parse(files_.text("index.json"));
        for (const json& descriptor : index.at("manifests")) {
            LoadedImage image;
            image.entry.digest = fetch(descriptor);
            image.entry.media_type = descriptor.value("mediaType", std::string(kOciManifest));
            image.entry.size = blobs_.size(image.entry.digest);
            image.entry.manifest = is_index(image.entry.media_type) ? choose(image.entry.digest) : image.entry.digest;
            if (std::string name = name_of(descriptor); !name.empty()) image.names.push_back(name);
            fetch_content(image.entry.manifest);
            unpack(image.entry.manifest);
            add(images, std::move(image));
        }
        return images;
    }

    /// An archive lists an image once for each of its names.
    static void add(std::vector<LoadedImage>& images, LoadedImage image) {
        for (LoadedImage& other : images) {
            if (!(other.entry == image.entry)) continue;
            other.names.insert(other.names.end(), image.names.begin(), image.names.end());
            return;
        }
        images.push_back(std::move(image));
    }

    static std::string name_of(const json& descriptor) {
        const json annotations = object_in(descriptor, "annotations");
        std::string name = annotations.value("io.containerd.image.name",
                                             annotations.value("org.opencontainers.image.ref.name", std::string()));
        return name.empty() ? name : Reference::parse(name).full();
    }

    static std::string path_of(const Digest& digest) { return "blobs/sha256/" + digest.hex(); }

    Digest fetch(const json& descriptor) {
        Digest digest = Digest::parse(descriptor.at("digest").get<std::string>());
        return files_.blob(path_of(digest), digest);
    }

    /// Of an index: the manifest for this machine, or else the first that the archive holds.
    Digest choose(const Digest& index) {
        const json root = json::parse(blobs_.read(index));
        std::optional<Digest> first;
        for (const json& descriptor : root.at("manifests")) {
            if (!files_.has(path_of(Digest::parse(descriptor.at("digest").get<std::string>())))) continue;
            const json platform = object_in(descriptor, "platform");
            std::string text = platform.value("os", std::string("linux")) + "/" +
                               platform.value("architecture", std::string("unknown"));
            if (std::string variant = platform.value("variant", std::string()); !variant.empty()) text += "/" + variant;
            if (Platform::parse(text) == Platform::host()) return fetch(descriptor);
            if (!first && text != "unknown/unknown") first = fetch(descriptor);  // those are attestations, not images
        }
        if (!first) throw Error(Code::invalid_argument, "the archive has no image of index " + index.str());
        return *first;
    }

    void fetch_content(const Digest& manifest) {
        const json root = json::parse(blobs_.read(manifest));
        (void)fetch(root.at("config"));
        for (const json& layer : root.at("layers")) (void)fetch(layer);
    }

    void unpack(const Digest& manifest) {
        StoredImage image = read_stored_image(blobs_, manifest);
        for (size_t i = 0; i < image.layers.size(); ++i) {
            const Digest& diff_id = image.info.diff_ids[i];
            if (progress_) progress_({diff_id.hex().substr(0, 12), "Loading layer", 0, blobs_.size(image.layers[i])});
            if (layers_.has(diff_id) && known_.contains({image.layers[i], diff_id})) continue;
            (void)layers_.unpack(blobs_.open(image.layers[i]).get(), diff_id, stop_);
            known_.emplace(image.layers[i], diff_id);
        }
    }

    BlobStore& blobs_;
    LayerStore& layers_;
    ArchiveFiles& files_;
    KnownLayers known_;
    const ProgressSink& progress_;
    std::stop_token stop_;
};

}  // namespace

std::vector<LoadedImage> load_archive(BlobStore& blobs, LayerStore& layers, int archive_fd, KnownLayers known,
                                      const ProgressSink& progress, std::stop_token stop) {
    try {
        ArchiveFiles files(blobs, archive_fd, stop);
        return Load(blobs, layers, files, std::move(known), progress, stop).run();
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("image archive: ") + e.what());
    }
}

}  // namespace kedge::runtime
