#pragma once

#include "runtime/images.h"
#include "runtime/images/blob_store.h"
#include "runtime/images/stored_image.h"

#include <stop_token>
#include <vector>

namespace kedge::runtime {

class LayerStore;

/// One image of an archive: its entry, and all its names as the archive says them (normalised).
struct LoadedImage {
    BlobStore::Named entry;
    std::vector<std::string> names;
};

/// Stores every image of a docker-archive (manifest.json) or an OCI archive (index.json), compressed or not, from a
/// file or a pipe, and unpacks the layers; blobs of layers that are there already are checked unless they are known.
/// Digests are checked where the archive has them. Throws Error.
std::vector<LoadedImage> load_archive(BlobStore& blobs, LayerStore& layers, int archive_fd, KnownLayers known,
                                      const ProgressSink& progress, std::stop_token stop);

}  // namespace kedge::runtime
