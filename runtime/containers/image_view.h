#pragma once

#include "base/fd.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// The merged content of an image's layers (topmost first) for reading: a read-only overlay, mounted in a mount
/// namespace that is gone when this returns, so nothing shows in the host's mount table and the mount ends with the
/// descriptor. `place` is any empty folder; nothing changes in it. Throws Error.
Fd open_image_view(const std::vector<std::string>& layers, const std::string& place);

/// Copies what the image has at `path` (links in it are followed inside the image) into the folder `to`; false if there
/// is no folder there.
bool copy_from_image(const Fd& view, const std::string& path, int to);

}  // namespace kedge::runtime
