#include "api/prune_event.h"

#include "runtime/events.h"

namespace kedge::api {

void publish_prune(runtime::Events& events, const std::string& kind, int64_t freed) {
    events.publish(
        {.type = kind, .action = "prune", .id = {}, .attributes = {{"reclaimed", std::to_string(freed)}}, .time = {}});
}

}  // namespace kedge::api
