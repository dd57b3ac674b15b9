#pragma once

#include "reconciler/observe.h"
#include "reconciler/source_loop.h"

namespace kedge::reconciler {

/// What is to be said of a project now. `machine`: of observe_containers().
ProjectStatus project_status(const SourceLoop::Snapshot& snapshot, const ReleaseStore& store, const Machine& machine);

}  // namespace kedge::reconciler
