#pragma once

#include <string>

namespace kedge::sources {

inline constexpr const char* kSecretsFolder = "/run/secrets";

/// The target in a short mount or device `[source:]target[:options]`.
std::string short_mount_target(const std::string& text);

/// A path in the container as the engine will take it: absolute (relative ones start at `folder`), without `.`, `..`
/// and double slashes. Empty stays empty, and what is longer than a path can be stays as it is.
std::string clean_target(const std::string& path, const std::string& folder = "/");

}  // namespace kedge::sources
