#pragma once

#include <cstdint>
#include <string>

namespace kedge::runtime {
class Events;
}

namespace kedge::api {

/// Tells that what nobody uses of a kind (`container`, `image`, ...) was removed, and how many bytes that freed.
void publish_prune(runtime::Events& events, const std::string& kind, int64_t freed);

}  // namespace kedge::api
