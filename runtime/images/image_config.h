#pragma once

#include "runtime/images.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// An image's config (OCI image-spec, config.md, and Docker's older form of the same): fills everything of ImageInfo
/// that stands in it, and the id, which is its digest. Throws Error (invalid_argument).
ImageInfo parse_image_config(const std::string& text);

/// The instructions of `docker import --change`: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL,
/// USER, VOLUME and WORKDIR, as a Dockerfile writes them: the changes are its lines. Variables are those of the
/// config's environment. Throws Error (invalid_argument) that quotes the instruction.
void apply_changes(ImageConfig& config, const std::vector<std::string>& changes);

/// The config of an image of one layer.
std::string make_image_config(const ImageConfig& config, const Platform& platform, const Digest& diff_id,
                              WallTime created, const std::string& message);

/// The config of an image that a further layer (none: an empty Digest) makes of the one with this config.
std::string make_child_config(const std::string& parent, const ChildImage& child, const Digest& diff_id,
                              WallTime created);

}  // namespace kedge::runtime
