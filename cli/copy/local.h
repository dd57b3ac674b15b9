#pragma once

#include "cli/copy_paths.h"

#include <string>

namespace kedge::cli {

/// The working folder. Throws Error.
std::string working_folder();

/// What is there to be copied; links before the last part are followed, with `follow` that one too. Throws Error.
CopySide local_source(const std::string& path, bool follow);

/// What is there to be copied to; links are followed. If nothing is there, its folder must be. Throws Error.
CopySide local_target(const std::string& path);

/// Throws Error if nothing can be written there: it is a device, or its folder isn't there.
void check_output(const std::string& path);

}  // namespace kedge::cli
