#pragma once

#include "runtime/images.h"

#include <optional>
#include <string>

namespace kedge::api {

/// The credentials of an `X-Registry-Auth` header: base64 (URL alphabet) of a JSON object. Empty if there are none in
/// it. Throws Error.
std::optional<runtime::Credentials> read_registry_auth(const std::string& header);

}  // namespace kedge::api
