#pragma once

#include "runtime/images.h"

namespace kedge::runtime {

struct RegistrySettings;

/// Images::look_up.
RemoteImage look_up_image(const RegistrySettings& settings, const Reference& reference,
                          const std::optional<Credentials>& credentials, std::stop_token stop);

}  // namespace kedge::runtime
