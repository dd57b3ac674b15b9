#pragma once

#include "base/digest.h"
#include "runtime/images.h"
#include "sources/project.h"

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

namespace kedge::reconciler {

/// The image under the service's name, for its platform, if it is on the machine.
std::optional<Digest> local_image(const runtime::Images& images, const sources::Service& service);

/// The images of the services if all of them are on the machine and none has to be looked for again (pull_policy).
std::optional<std::map<std::string, Digest>> local_images(const runtime::Images& images,
                                                          const sources::Project& project);

/// Told of every image that was pulled: its full name, what it leads to now, and whether the name was on the machine
/// before.
using PulledSink = std::function<void(const std::string& name, const Digest& image, bool was_there)>;

/// Pulls what is missing, or all that pull_policy wants; every image is verified and unpacked when this returns.
/// Throws Error that names the service; transient() tells whether trying again may help.
std::map<std::string, Digest> fetch_images(runtime::Images& images, const sources::Project& project,
                                           const PulledSink& pulled, std::stop_token stop);

/// With registry and tag, as names are compared; as it is if it can't be read.
std::string full_name(const std::string& image);

}  // namespace kedge::reconciler
