#pragma once

#include <span>
#include <string_view>

namespace kedge {

/// A place just before or after a durable step. When the environment variable KEDGE_FAULT of the process
/// names it (`pull.blob.before_rename`, or `pull.blob.before_rename:3` for the third time it is passed),
/// the process kills itself with SIGKILL there, as a power cut would. Costs one branch otherwise.
///
/// Names are from the closed list in fault.cpp; any other name aborts, so that tests that run over the
/// list reach every point.
void fault_point(std::string_view name);

/// Every fault point there is, in the order in which an apply passes them.
std::span<const std::string_view> fault_points();

}  // namespace kedge
