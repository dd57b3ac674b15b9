#pragma once

#include "reconciler/plan.h"

#include <set>
#include <string>

namespace kedge::reconciler {

/// Lays out the bytes of the secrets and configs that the target's services use, in target.files, each checked against
/// its digest and with the owner and mode that the service wants. What is there stays. Throws Error that names the
/// secret or config.
void write_files(const Target& target);

/// Removes files of `folder` that none of the targets uses.
void remove_other_files(const std::string& folder, const std::vector<Target>& targets);

}  // namespace kedge::reconciler
