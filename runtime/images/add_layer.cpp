// ImageStore::add_layer: what commit makes.
#include "base/error.h"
#include "runtime/images/image_config.h"
#include "runtime/images/image_store.h"

namespace kedge::runtime {

namespace {

/// Of a tar with nothing in it: two blocks of zeros.
Digest empty_layer() {
    return Digest::of(std::string(1024, '\0'));
}

}  // namespace

ImageInfo ImageStore::add_layer(int tar_fd, const ChildImage& child, const std::function<void()>& at_end,
                                std::stop_token stop) {
    std::optional<Reference> name;
    if (!child.reference.empty()) name = Reference::parse(child.reference);
    if (name && !name->digest.empty())
        throw Error(Code::invalid_argument, "refusing to create a tag with a digest reference");
    const std::vector<Digest> before = blobs_.list();
    try {
        BlobStore::Lease blobs_lease(blobs_);
        LayerStore::Lease layers_lease(layers_);
        const Entry parent = find(child.parent.str());
        std::vector<StoredLayer> layers;
        for (const Digest& layer : parent.image->layers) layers.push_back(describe_layer(blobs_, layer));
        const Digest blob = store_tar(tar_fd, stop);
        if (at_end) at_end();
        Digest diff_id = layers_.unpack(blobs_.open(blob).get(), {}, stop).diff_id;
        if (diff_id == empty_layer())
            diff_id = {};
        else
            layers.push_back(describe_layer(blobs_, blob));
        const Digest id = blobs_.put(make_child_config(parent.image->info.config_json, child, diff_id, wall_now()));
        Named named = put_manifest(blobs_, id, layers);
        if (name) named.name = name->full();
        std::lock_guard lock(change_);
        assign(named);
        publish("create", id.str(), id.str(), child.config);
        if (name) publish("tag", id.str(), name->familiar(), child.config);
        return describe(entries(), id);
    } catch (...) {
        discard_new({before.begin(), before.end()});
        throw;
    }
}

}  // namespace kedge::runtime
