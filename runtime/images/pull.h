#pragma once

#include "base/digest.h"
#include "runtime/engine.h"
#include "runtime/images.h"
#include "runtime/images/stored_image.h"

#include <cstdint>
#include <stop_token>
#include <string>

namespace kedge::runtime {

class BlobStore;
class LayerStore;

/// What a pull brought.
struct Pulled {
    Digest manifest;  ///< of the image for the asked platform
    Digest index;     ///< empty if the name pointed to the manifest itself
    Digest config;
    std::string media_type;  ///< of the index, or of the manifest without one
    int64_t size = 0;        ///< of that document
};

/// Fetches an image from its registry: when it returns, every blob is stored under its checked digest and every layer
/// is unpacked; stored blobs of layers that are there are checked unless they are known. Names are the caller's matter.
/// Blobs that were stored before an error stay for the next try. Errors as Images::pull. Thread-safe.
Pulled pull_image(BlobStore& blobs, LayerStore& layers, const RegistrySettings& settings, int connections,
                  const Reference& reference, const PullOptions& options, const ProgressSink& progress,
                  std::stop_token stop, const KnownLayers& known = {});

}  // namespace kedge::runtime
