#include "reconciler/soak.h"

#include <algorithm>

namespace kedge::reconciler {

Soak::Verdict Soak::judge(const runtime::ContainerInfo& info, Nanoseconds monitor, Time now) {
    Watched& watched = watched_.at(info.id);
    if (watched.started != info.started) {
        watched.started = info.started;
        watched.since = now;
    }
    // Told in the container's own time, which is compared with nothing but itself.
    WallTime since = info.started;
    WallTime then = since + std::chrono::duration_cast<Nanoseconds>(now - watched.since);
    return {health::judge(info, watched.restarts, since, monitor, then), watched.since + monitor};
}

}  // namespace kedge::reconciler
