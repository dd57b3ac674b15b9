#pragma once

#include "runtime/containers/launcher.h"
#include "runtime/shim/launch_plan.h"

#include <linux/filter.h>

#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

/// Capabilities of a process by set, bit n for the one with the number n.
struct CapabilitySets {
    uint64_t effective = 0, permitted = 0, inheritable = 0, ambient = 0;
};

/// A step of building the container's file tree, as shim::MountStep but with texts.
struct LaunchMount {
    shim::MountKind kind = shim::MountKind::filesystem;
    std::string target;
    std::string source;
    std::string confined_to;  ///< of a bind: the folder above the source that is its root; empty: the host's
    std::string type;
    std::vector<std::pair<std::string, std::string>> options;  ///< an empty value: a flag
    uint64_t attributes = 0;                                   ///< MOUNT_ATTR_*
    uint64_t propagation = 0;                                  ///< MS_PRIVATE, MS_SLAVE or MS_SHARED
    uint32_t flags = 0;                                        ///< shim::MountFlag
    uint32_t mode = 0;
    uint32_t uid = 0;
    uint32_t gid = 0;
    uint64_t device = 0;
    int fd = -1;  ///< of a bind: the tree that is mounted in place of `source`, as a number in the shim
    std::vector<shim::MountChange> changes;
};

/// Who a process runs as, resolved in the container's own user database.
struct LaunchUser {
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::vector<uint32_t> groups;
    std::string home;
};

/// One rule of what devices may be opened or made; -1: any number. A list of them begins with nothing allowed, and each
/// changes what those before it say.
struct DeviceRule {
    char type = 'a';  ///< a, b or c
    int64_t major = -1;
    int64_t minor = -1;
    std::string permissions = "rwm";
    bool allow = true;
};

/// What a LaunchRequest comes to on this machine: everything decided, nothing written yet. From it come the bundle that
/// people read and the plan that the shim follows.
struct LaunchSpec {
    LaunchUser user;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::string search_path;
    std::string working_dir = "/";
    std::string hostname;
    std::string domainname;
    uint64_t clone_flags = 0;
    uint32_t flags = 0;  ///< shim::PlanFlag
    std::vector<shim::Join> joins;
    int shared_memory = -1;  ///< another container's /dev/shm, by its number in the shim
    std::string layers_folder;
    std::string overlay_options;
    std::string root_source;
    std::string root_folder;
    std::vector<LaunchMount> mounts;
    int whole_plan = -1;                                                ///< as of shim::Plan
    std::vector<std::pair<std::string, std::string>> sysctls;           ///< asked for: path below /proc/sys, value
    std::vector<std::pair<std::string, std::string>> optional_sysctls;  ///< Docker's defaults
    std::vector<shim::Limit> limits;
    std::vector<DeviceRule> device_rules;
    uint64_t capabilities = 0;
    std::vector<sock_filter> seccomp;
    int oom_score_adj = 0;
    std::string cgroup_path;
    std::string cgroup_folder;
    std::vector<std::string> cgroup_files;
    std::string oom_file;
    std::string run_folder;
    unsigned terminal_rows = 0;
    unsigned terminal_columns = 0;
    std::string log_folder;
    std::string log_name;
    uint64_t log_max_size = 0;
    uint32_t log_max_files = 1;
    // what only an OCI runtime asks for; see shim::Plan
    std::string executable;
    std::string time_offsets;
    std::string apparmor_profile;
    std::string keyring;
    CapabilitySets sets;
    uint64_t root_propagation = 0;
    uint32_t umask = 022;
    uint32_t seccomp_flags = 0;
    uint32_t personality = 0;
    int root_tree = -1;
    int null_tree = -1;
    int listener = -1;
    int first_preserved = -1;
    uint32_t preserved = 0;
    std::vector<std::string> warnings;
};

}  // namespace kedge::runtime
