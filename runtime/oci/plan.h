#pragma once

#include "base/fd.h"
#include "runtime/containers/cgroups.h"
#include "runtime/containers/launch_spec.h"
#include "runtime/oci/config.h"

#include <string>
#include <vector>

namespace kedge::oci {

/// A start as the shim gets it: what it does, and the descriptors that it finds from shim::kFirstExtraFd on.
struct Launch {
    runtime::LaunchSpec spec;
    std::vector<Fd> extras;

    /// The number that it will have there.
    int add(Fd fd) {
        extras.push_back(std::move(fd));
        return shim::kFirstExtraFd + static_cast<int>(extras.size()) - 1;
    }
};

/// A bundle: its folder, and the root of its container, which is a folder and reached through no symbolic link.
struct Bundle {
    std::string folder;
    std::string root;
};
Bundle open_bundle(const std::string& folder, const Config& config);

/// `linux.cgroupsPath` as a path below the hierarchies' mount points.
std::string cgroup_path(const Config& config, const std::string& id);

/// User, program, capabilities, limits and filter: the same for the first process and for further ones. `root`: where
/// its user database is.
void plan_process(const Process& process, const Config& config, const std::string& root, runtime::LaunchSpec& spec);

/// Namespaces, names and sysctls.
void plan_namespaces(const Config& config, Launch& launch);

/// Everything mounted, linked, made and covered, in order. Needs the cgroup to be there: the trees are opened.
void plan_mounts(const Config& config, const Bundle& bundle, const runtime::Cgroups& cgroups, Launch& launch);

/// This process' descriptors 3, 4, ..., for the container's. Throws Error if one isn't open.
void add_preserved(int count, Launch& launch);

/// The limits of a process that runs already and that only somebody outside of its namespaces may set. Throws Error.
void set_from_outside(const Process& process, int pid);

/// uid_map and gid_map. Throws Error.
void write_id_mappings(const IdMappings& mappings, int pid);

}  // namespace kedge::oci
