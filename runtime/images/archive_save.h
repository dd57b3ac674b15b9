#pragma once

#include "runtime/images/blob_store.h"
#include "runtime/images/stored_image.h"

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

/// An image on its way into an archive.
struct SavedImage {
    std::shared_ptr<const StoredImage> image;
    std::set<std::string> names;  ///< Reference::full(), with tags
};

/// Writes the archive in pieces: every blob once and as it is stored, manifest.json for those who read docker-archives,
/// index.json and oci-layout for those who read OCI layouts. Needs the memory of one piece. Throws Error for a blob
/// that is gone or damaged, and cancelled when `sink` returns false or at `stop`.
void save_archive(const BlobStore& blobs, const std::vector<SavedImage>& images,
                  const std::function<bool(std::string_view)>& sink, std::stop_token stop);

}  // namespace kedge::runtime
