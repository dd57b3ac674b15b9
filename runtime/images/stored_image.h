#pragma once

#include "runtime/images.h"
#include "runtime/images/blob_store.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

/// An image as the blob store holds it.
struct StoredImage {
    ImageInfo info;          ///< without names and size
    std::string media_type;  ///< of the manifest
    int64_t manifest_size = 0;
    std::vector<Digest> layers;  ///< blobs, in the order of info.diff_ids
};

/// Blobs, each with the diff id that it is known to have, as an image that is stored here says so.
using KnownLayers = std::set<std::pair<Digest, Digest>>;

/// Reads manifest and config. Error not_found if one is missing, invalid_argument if one is not what it should be.
StoredImage read_stored_image(const BlobStore& blobs, const Digest& manifest);

struct StoredLayer {
    std::string media_type;
    Digest digest;
    int64_t size = 0;
};

/// Stores an OCI manifest for a stored config and stored layers; its entry, without a name.
BlobStore::Named put_manifest(BlobStore& blobs, const Digest& config, const std::vector<StoredLayer>& layers);

/// The media type for a layer blob that begins so.
StoredLayer describe_layer(const BlobStore& blobs, const Digest& blob);

}  // namespace kedge::runtime
