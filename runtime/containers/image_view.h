#pragma once

#include "base/fd.h"

#include <string>
#include <vector>

namespace kedge::runtime {

// The merged content of an image's layers (topmost first) for reading: a read-only overlay that shows in no mount table
// and ends with its descriptor. `place` is any empty folder; nothing changes in it. Throw Error.

/// To be read by the agent.
Fd open_image_view(const std::vector<std::string>& layers, const std::string& place);

/// To be mounted into a container: all of it, or what lies at `subpath`, which no link may lead to.
Fd image_mount(const std::vector<std::string>& layers, const std::string& place, const std::string& subpath);

/// Copies what the image has at `path` (links in it are followed inside the image) into the folder `to`; false if there
/// is no folder there.
bool copy_from_image(const Fd& view, const std::string& path, int to);

}  // namespace kedge::runtime
