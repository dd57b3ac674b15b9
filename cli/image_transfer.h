#pragma once

#include "cli/client.h"

#include <string>

namespace kedge::cli {

/// Has the agent pull an image, and shows its progress at this descriptor unless `quiet`.
void pull_image(const Client& client, const std::string& name, const std::string& platform, bool quiet, int fd);

}  // namespace kedge::cli
