#pragma once

#include "runtime/containers/cgroups.h"
#include "runtime/containers/launch_spec.h"
#include "runtime/containers/seccomp_filter.h"

namespace kedge::runtime {

/// Works out a request: defaults, users, limits, namespaces, mounts. Throws Error for what is not possible.
/// `targets` receives the namespaces to join that spec.joins names by number, in that order.
LaunchSpec build_launch(const LaunchRequest& request, const Cgroups& cgroups, const std::string& cgroup_path,
                        SeccompFilters& filters, const std::string& shim, std::vector<Fd>& targets);

/// Throws what build_launch would throw for the parts of a spec that say all by themselves: capabilities, security
/// options with their profile, ulimits, sysctls. Returns the warnings that it would give.
std::vector<std::string> check_launch(const ContainerSpec& container);

/// The same for a further process of a running container, whose root is /proc/<pid>/root.
void build_exec(const ContainerSpec& container, const Launcher::ExecRequest& request, int init_pid,
                SeccompFilters& filters, LaunchSpec& spec);

}  // namespace kedge::runtime
