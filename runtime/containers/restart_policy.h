#pragma once

#include "runtime/containers/container_record.h"

#include <chrono>

namespace kedge::runtime {

/// Whether a container that is not running should be started again by itself: its policy, how it ended, whether
/// somebody stopped it. Unlike Docker's, `always` does not bring back what was stopped by hand when the agent starts
/// again: a container that a release replaced waits, stopped, beside its successor, and must not run at its side after
/// a crash.
bool should_restart(const ContainerInfo& info);

constexpr auto kFirstBackOff = std::chrono::milliseconds(100);
constexpr auto kLongestBackOff = std::chrono::minutes(1);
constexpr auto kSteadyRun = std::chrono::seconds(10);

/// The time to wait before the next start: twice the last one, from 100 ms to 1 min; from the beginning once it ran for
/// 10 s.
std::chrono::milliseconds next_back_off(std::chrono::milliseconds last, Nanoseconds ran);

}  // namespace kedge::runtime
