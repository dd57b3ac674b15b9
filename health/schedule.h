#pragma once

#include "runtime/containers.h"

namespace kedge::health {

/// When a container is probed, as Docker does it (moby daemon, "HEALTHCHECK" of the Dockerfile reference): pure.

/// The figures of a healthcheck, with Docker's defaults for those that are not given.
struct Timing {
    Nanoseconds interval = std::chrono::seconds(30);
    Nanoseconds timeout = std::chrono::seconds(30);
    Nanoseconds start_period{0};
    Nanoseconds start_interval = std::chrono::seconds(5);
    int retries = 3;
    bool operator==(const Timing&) const = default;
};

/// Those in force. A healthcheck without a test, as kProbeLabel may have beside it, gives its figures too.
Timing timing_of(const runtime::ContainerInfo& info);

/// From the container's start, or from the end of its last probe, to the beginning of the next: start_interval while it
/// is starting inside its start period, else interval. `age`: how long ago it was started.
Nanoseconds until_next_probe(const Timing& timing, const runtime::Health& health, Nanoseconds age);

/// The same for a container that was probed before by somebody else: an agent that ended, or before it was paused.
/// `now` counts what of the wait is over already, but a clock that was set meanwhile makes it neither negative nor
/// longer.
Nanoseconds until_first_probe(const Timing& timing, const runtime::ContainerInfo& info, WallTime now);

/// The health after one more probe, which was begun at this age of the container: a success makes it healthy; `retries`
/// failures in a row make it unhealthy, not counting those in the start period before the first success. Keeps the
/// newest five results.
runtime::Health with_result(const Timing& timing, runtime::Health health, runtime::ProbeResult result, Nanoseconds age);

}  // namespace kedge::health
