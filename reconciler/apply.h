#pragma once

#include "reconciler/plan.h"

#include <string>

namespace kedge::runtime {
class Engine;
}

namespace kedge::reconciler {

class ReleaseStore;

/// Carries out one step (any but WaitFor), so that done twice it does nothing the second time. What has to be known for
/// going back is written down before. Throws Error.
void carry_out(runtime::Engine& engine, ReleaseStore& store, const std::string& project, const Action& action);

enum class WaitState { met, pending, failed };
struct WaitResult {
    WaitState state = WaitState::pending;
    std::string reason;  ///< why it failed
};

/// Whether a condition holds now. Pure; time limits and delays are the caller's.
WaitResult check_wait(const WaitFor& wait, const Observed& observed);

/// Whether somebody watches the container's health.
bool is_probed(const runtime::ContainerInfo& info);

}  // namespace kedge::reconciler
