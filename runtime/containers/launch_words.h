#pragma once

#include "base/error.h"
#include "runtime/containers/launch_spec.h"
#include "runtime/shim/launch_plan.h"

#include <string>

namespace kedge::runtime {

/// What a shim's message says, in Docker's words. `subject`: the text of the plan that it names.
Error launch_error(const shim::Message& message, const std::string& subject, const LaunchSpec& spec);
std::string launch_warning(const shim::Message& message, const std::string& subject);

/// 127 for what isn't there, 126 for what can't be executed, 128 for what could not even be prepared.
int launch_exit_code(const shim::Message& message);

}  // namespace kedge::runtime
