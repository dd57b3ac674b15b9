#pragma once

#include "base/digest.h"
#include "runtime/images.h"

#include <cstdint>
#include <string>
#include <vector>

namespace kedge::runtime {

/// OCI image-spec, descriptor.md.
struct Descriptor {
    std::string media_type;
    Digest digest;
    int64_t size = 0;
};

struct LayerDescriptor : Descriptor {
    Digest diff_id;  ///< from the config
};

struct ImageManifest {
    Descriptor config;
    std::vector<Descriptor> layers;  ///< lowest first
};

/// Reads an image manifest. What can't be pulled is an Error (invalid_argument) that begins with `what`: other things
/// than images, foreign layers, unknown layer formats, more layers than can be stacked.
ImageManifest read_manifest(const std::string& body, const std::string& what);

/// The manifest in an index that suits `wanted` best, as Go's tools choose it: the same variant, or the nearest one
/// that the processor also runs (arm/v7, v6, v5). Error not_found lists what there is.
Descriptor choose_platform(const std::string& index, const Platform& wanted, const std::string& what);

/// The platforms of an index, without those of attestations.
std::vector<Platform> platforms_of(const std::string& index, const std::string& what);

/// What of an image's config a pull needs.
struct ConfigFacts {
    Platform platform;
    std::vector<Digest> diff_ids;
};
ConfigFacts read_config(const std::string& body, const std::string& what);

/// Whether an image for `offered` runs where `wanted` is asked for; less is better, -1 is no.
int platform_rank(const Platform& wanted, const Platform& offered);

}  // namespace kedge::runtime
