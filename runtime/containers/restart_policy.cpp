#include "runtime/containers/restart_policy.h"

#include <algorithm>

namespace kedge::runtime {

bool should_restart(const ContainerInfo& info) {
    if (info.stopped_by_hand || info.started == WallTime{}) return false;
    const RestartPolicy& policy = info.spec.restart;
    switch (policy.name) {
        case RestartPolicy::Name::no: return false;
        case RestartPolicy::Name::always:
        case RestartPolicy::Name::unless_stopped: return true;
        case RestartPolicy::Name::on_failure:
            return info.exit_code != 0 && (policy.maximum_retries == 0 || info.restart_count < policy.maximum_retries);
    }
    return false;
}

std::chrono::milliseconds next_back_off(std::chrono::milliseconds last, Nanoseconds ran) {
    if (last.count() == 0 || ran >= kSteadyRun) return kFirstBackOff;
    return std::min<std::chrono::milliseconds>(last * 2, kLongestBackOff);
}

}  // namespace kedge::runtime
