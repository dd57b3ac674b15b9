#pragma once

#include "runtime/engine.h"
#include "runtime/images.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/layer_store.h"
#include "runtime/images/stored_image.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Images in <root>/images and <root>/layers. index.json is the truth of what there is: an entry per name, and one
/// without a name for an image that lost its last one but is still used or not yet collected. Pins are in the database.
class ImageStore : public Images {
public:
    /// `used_by_containers` gives the image ids of all containers; called without any lock but the one that orders
    /// changes.
    ImageStore(const std::string& root, RegistrySettings registries, int pull_connections, int64_t layer_size_limit,
               Database& database, Events& events, std::function<std::set<Digest>()> used_by_containers);

    ImageInfo import(int tar_fd, const ImportOptions& options, const ProgressSink& progress,
                     std::stop_token stop) override;
    ImageInfo add_layer(int tar_fd, const ChildImage& child, const std::function<void()>& at_end,
                        std::stop_token stop) override;
    std::vector<ImageInfo> load(int archive_fd, const ProgressSink& progress, std::stop_token stop) override;
    Archive save(const std::vector<std::string>& references) override;
    ImageInfo pull(const std::string& reference, const PullOptions& options, const ProgressSink& progress,
                   std::stop_token stop) override;
    RemoteImage look_up(const std::string& reference, const std::optional<Credentials>& credentials,
                        std::stop_token stop) const override;
    ImageInfo get(const std::string& reference) const override;
    std::vector<ImageInfo> list() const override;
    void tag(const std::string& source, const std::string& target) override;
    std::vector<RemovedImage> remove(const std::string& reference, bool force) override;
    void pin(const std::string& owner, const std::set<Digest>& image_ids) override;
    int64_t collect() override;
    std::vector<std::string> layer_folders(const Digest& image_id) const override;

    BlobStore& blobs() { return blobs_; }
    LayerStore& layers() { return layers_; }

private:
    using Named = BlobStore::Named;
    struct Entry {
        Named named;
        std::shared_ptr<const StoredImage> image;
    };
    /// One consistent view; entries whose manifest or config is damaged are left out, as if the image were not there.
    std::vector<Entry> entries() const;
    KnownLayers known_layers() const;
    std::shared_ptr<const StoredImage> cached(const Digest& manifest) const;
    Entry find(const std::string& reference) const;
    Entry find(const std::vector<Entry>& all, const std::string& reference) const;
    ImageInfo describe(const std::vector<Entry>& all, const Digest& id) const;
    void publish(const std::string& action, const std::string& id, const std::string& name,
                 const ImageConfig& config) const;

    Digest store_tar(int tar_fd, std::stop_token stop);

    // with change_ held:
    void assign(const Named& named);
    std::set<Digest> used_ids() const;
    std::optional<Digest> unreadable(const std::vector<Entry>& all) const;
    std::vector<RemovedImage> remove_name(const std::vector<Entry>& all, const Entry& entry,
                                          const std::string& reference, bool force);
    std::vector<RemovedImage> remove_image(const std::vector<Entry>& all, const Digest& id, bool force);
    int64_t drop(const Digest& id);
    int64_t release(const std::set<Digest>& blobs, const std::set<Digest>& layers);
    int64_t sweep();

    void discard_new(const std::set<Digest>& before);

    BlobStore blobs_;
    mutable LayerStore layers_;  // layer_folders() repairs
    const RegistrySettings registries_;
    const int pull_connections_;
    Database& database_;
    Events& events_;
    const std::function<std::set<Digest>()> used_by_containers_;

    std::mutex change_;  ///< orders whatever changes names or removes content
    std::map<std::string, std::set<Digest>> pins_;
    mutable std::shared_mutex cache_mutex_;
    mutable std::map<Digest, std::shared_ptr<const StoredImage>> cache_;  ///< by manifest
};

}  // namespace kedge::runtime
