#pragma once

#include "base/digest.h"
#include "runtime/images.h"
#include "sources/project.h"

#include <map>
#include <optional>
#include <stop_token>
#include <string>

namespace kedge::reconciler {

/// The images of the services if all of them are on the machine and none has to be looked for again (pull_policy).
std::optional<std::map<std::string, Digest>> local_images(const runtime::Images& images, const sources::Project& project);

/// Pulls what is missing, or all that pull_policy wants; every image is verified and unpacked when this returns.
/// Throws Error that names the service; transient() tells whether trying again may help.
std::map<std::string, Digest> fetch_images(runtime::Images& images, const sources::Project& project,
                                           const std::function<void(const std::string&)>& progress, std::stop_token stop);

}  // namespace kedge::reconciler
