#pragma once

#include "runtime/images/media_types.h"

#include <string>
#include <string_view>

namespace kedge::runtime {

inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";

bool is_manifest(std::string_view media_type);
bool is_config(std::string_view media_type);
/// A layer that can be fetched from its registry and unpacked.
bool is_layer(std::string_view media_type);
/// A layer that its registry doesn't hold: it may not be distributed.
bool is_foreign_layer(std::string_view media_type);

/// What a manifest is: by its Content-Type, or where that says nothing, by its own words. Throws Error
/// (invalid_argument) for schema 1, for what is neither manifest nor index, and if header and document disagree. `what`
/// begins the messages.
std::string manifest_media_type(const std::string& content_type, const std::string& body, const std::string& what);

}  // namespace kedge::runtime
