#pragma once

#include "reconciler/source_loop.h"

#include <vector>

namespace kedge::reconciler {

/// What is to be said of a project now.
ProjectStatus project_status(const SourceLoop::Snapshot& snapshot, const ReleaseStore& store,
                             const std::vector<runtime::ContainerInfo>& containers);

}  // namespace kedge::reconciler
