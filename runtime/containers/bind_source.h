#pragma once

#include "runtime/container_spec.h"

#include <string>

namespace kedge::runtime {

/// Whether a bind mount's source is there. Throws Error for a confined one with a symbolic link on its way.
bool bind_source_exists(const Mount& mount);

/// Makes the folder of a bind mount that asks for it (create_host_path); what is there already stays. Throws Error.
void make_bind_source(const Mount& mount);

/// Refuses a confined source that doesn't lie below its folder. Throws Error.
void check_confinement(const Mount& mount);

}  // namespace kedge::runtime
