#pragma once

#include "runtime/containers/cgroups.h"
#include "runtime/containers/launch_spec.h"

namespace kedge::runtime {

/// The container's own file systems, its devices, the caller's mounts, then what is masked, in the order in which they
/// are made. Fills spec.mounts, spec.device_rules and the overlay. `shim`: the program that serves as docker-init.
void plan_mounts(const LaunchRequest& request, const Cgroups& cgroups, const std::string& shim, LaunchSpec& spec);

/// The folders of the overlay: `layers` topmost first. Throws Error when the names don't fit into what mount(2) takes.
void plan_root(const LaunchRequest& request, LaunchSpec& spec);

/// Devices of the request and Docker's default ones: nodes in spec.mounts, rules in spec.device_rules.
void plan_devices(const LaunchRequest& request, LaunchSpec& spec);

/// `c 42:* rmw`, in Docker's words if it is none.
DeviceRule parse_device_rule(const std::string& text);

}  // namespace kedge::runtime
