#pragma once

#include "runtime/images/blob_store.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// index.json of an OCI image layout (image-spec, image-index.md): the text, and back. A name stands in the annotation
/// org.opencontainers.image.ref.name, where skopeo and others look for it, and in io.containerd.image.name.
/// Annotations of kedge's own say which manifest of an index is unpacked and where the image came from.
std::string index_text(const std::vector<BlobStore::Named>& names);

/// Throws Error (invalid_argument) for what is no index.
std::vector<BlobStore::Named> parse_index(const std::string& text);

}  // namespace kedge::runtime
