#pragma once

#include "reconciler/plan.h"

#include <string>
#include <vector>

namespace kedge::reconciler {

/// Throws Error (permission_denied) that names the service and key if the project asks for more of the host than the
/// policy gives. `own_folders`: the commit's tree, the project's data folder, the folder of secrets: always allowed to
/// be mounted.
void check_privileges(const sources::Project& project, const std::vector<std::string>& own_folders,
                      const Policy& policy);

}  // namespace kedge::reconciler
