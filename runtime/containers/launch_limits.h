#pragma once

#include "runtime/containers/launch_spec.h"

#include <optional>
#include <string>

namespace kedge::runtime {

/// Ulimits and oom_score_adj, none of which is inherited from the agent. What this process may not raise is cut down,
/// with a warning.
void plan_limits(const ContainerSpec& container, LaunchSpec& spec);

/// Sysctls of the request, which must belong to a namespace that is the container's own, and Docker's defaults.
void plan_sysctls(const LaunchRequest& request, LaunchSpec& spec);

/// RLIMIT_* of `nofile` or `RLIMIT_NOFILE`; nullopt for what is none.
std::optional<uint32_t> limit_resource(const std::string& name);

/// Whether a sysctl may be set for a container with namespaces of its own: its path, or an Error that says why not.
std::string namespaced_sysctl(const std::string& key, const std::string& value, bool own_network, bool own_ipc);

uint32_t parse_count(const std::string& text, const std::string& what);

}  // namespace kedge::runtime
