#pragma once

#include "reconciler/plan.h"

#include <string>

namespace kedge::reconciler {

/// In plain words what makes `wanted` another container than `old`: `image changed from sha256:1234… to sha256:5678…`,
/// `environment MODE changed from "a" to "b"`. Values that look like secrets are not shown. Empty if nothing that lasts
/// beyond a commit differs.
std::string difference(const ObservedContainer& old, const runtime::ContainerSpec& wanted, const Digest& image);

/// Whether a container that another tool made is what kedge would make: everything but names of images and Compose's
/// labels agrees.
bool same_container(const runtime::ContainerSpec& made, const runtime::ContainerSpec& wanted);

}  // namespace kedge::reconciler
