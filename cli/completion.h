#pragma once

#include <string>

namespace CLI {
class App;
}

namespace kedge::cli {

/// A script that completes commands and options in `bash`, `zsh` or `fish`, and names of containers, images, volumes,
/// networks and projects by asking the agent.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace kedge::cli
