#pragma once

#include "sources/project.h"

#include <string>
#include <vector>

namespace kedge::reconciler {

/// The services that this one must come after: depends_on, and the one whose network it shares.
std::vector<std::string> needed_by(const sources::Project& project, const sources::Service& service);

/// Names of the project's services, each after all that it needs; by name where that says nothing.
/// Throws Error (invalid_argument) that names a service of the circle if there is one.
std::vector<std::string> dependency_order(const sources::Project& project);

}  // namespace kedge::reconciler
