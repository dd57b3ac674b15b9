#pragma once

#include "base/clock.h"

#include <string>

namespace kedge::api {

/// A `since` or `until` parameter: Unix seconds with an optional fraction, or RFC 3339. Empty text is WallTime{}.
/// Throws Error.
WallTime parameter_time(const std::string& text);

}  // namespace kedge::api
