#pragma once

#include "runtime/containers/cgroups.h"
#include "runtime/containers/launch_spec.h"

namespace kedge::runtime {

/// The container's own file systems, its devices, the caller's mounts, then what is masked, in the order in which they
/// are made. Fills spec.mounts, spec.device_rules and the overlay. `shim`: the program that serves as docker-init.
/// What is mounted from descriptors of the request goes into `handed`, which the shim gets from kFirstExtraFd on.
void plan_mounts(const LaunchRequest& request, const Cgroups& cgroups, const std::string& shim, LaunchSpec& spec,
                 std::vector<Fd>& handed);

/// The folders of the overlay: `layers` topmost first. Throws Error when the names don't fit into what mount(2) takes.
void plan_root(const LaunchRequest& request, LaunchSpec& spec);

/// The cgroup tree as a container sees it at `target`: the group `path` alone, bound with `attributes` (MOUNT_ATTR_*)
/// where the host has the hierarchies.
void plan_cgroup_tree(const Cgroups& cgroups, const std::string& path, const std::string& target, uint64_t attributes,
                      LaunchSpec& spec);

/// What every container has in /dev: nodes, and links to what /proc has, in this order.
std::vector<LaunchMount> standard_nodes();
std::vector<LaunchMount> standard_links();

/// A file of /proc that may have a mount over it: nothing that is masked or read-only can be undone by that.
bool is_harmless_in_proc(const std::string& target);

/// Hides `target`: a file behind /dev/null, a folder behind an empty one.
LaunchMount mask_step(const std::string& target);
LaunchMount read_only_step(const std::string& target);

/// Devices of the request and Docker's default ones: nodes in spec.mounts, rules in spec.device_rules.
void plan_devices(const LaunchRequest& request, LaunchSpec& spec);

/// `c 42:* rmw`, in Docker's words if it is none.
DeviceRule parse_device_rule(const std::string& text);

}  // namespace kedge::runtime
