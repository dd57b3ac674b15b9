#pragma once

#include "runtime/containers/launch_dialogue.h"
#include "runtime/containers/launch_plan_writer.h"
#include "runtime/oci/commands.h"
#include "runtime/oci/plan.h"

namespace kedge::oci {

/// A kedge-shim that has made a process (`create` or `exec`) and ended: what remains is the dialogue with the process.
class ShimCall {
public:
    /// With this process' standard streams. Closes the launch's descriptors. Throws Error, and then nothing is there.
    ShimCall(const Runtime& runtime, const char* mode, Launch& launch);
    ShimCall(const ShimCall&) = delete;
    ShimCall& operator=(const ShimCall&) = delete;

    runtime::ShimDialogue& dialogue() { return dialogue_; }
    runtime::Launched& started() { return started_; }

private:
    runtime::PlanWriter writer_;
    runtime::ShimDialogue dialogue_;
    runtime::Launched started_;
};

}  // namespace kedge::oci
