#pragma once

#include "runtime/containers.h"

#include <stop_token>

namespace kedge::health {

constexpr size_t kProbeOutput = 4096;  ///< bytes that are kept of what a probe says

/// Probes a running container once, by its kProbeLabel or its healthcheck, within `timeout`. Whatever goes wrong is the
/// result, as in Docker: exit code -1 for a probe that could not be made or was too slow (`Health check exceeded
/// timeout (1s)`). Only a requested stop is an Error (cancelled).
runtime::ProbeResult run_probe(runtime::Containers& containers, const runtime::ContainerInfo& info, Nanoseconds timeout,
                               std::stop_token stop);

}  // namespace kedge::health
