#pragma once

#include "runtime/containers/launch_dialogue.h"
#include "runtime/containers/launch_plan_writer.h"
#include "runtime/oci/commands.h"
#include "runtime/oci/plan.h"

namespace kedge::oci {

/// A call of kedge-shim, and the dialogue with the process that comes of it.
class ShimCall {
public:
    /// With this process' standard streams. Closes the launch's descriptors. Throws Error.
    ShimCall(const Runtime& runtime, const char* mode, Launch& launch, const runtime::Birth& birth = {});
    ShimCall(const ShimCall&) = delete;
    ShimCall& operator=(const ShimCall&) = delete;

    runtime::ShimDialogue& dialogue() { return dialogue_; }
    const runtime::Spawned& shim() const { return shim_; }

private:
    runtime::PlanWriter writer_;
    runtime::ShimDialogue dialogue_;
    runtime::Spawned shim_;
};

}  // namespace kedge::oci
