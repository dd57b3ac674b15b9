#pragma once

#include "runtime/containers/capabilities.h"
#include "runtime/containers/launch_spec.h"
#include "runtime/oci/resources.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// A container's configuration as OCI runtime-spec, config.md and config-linux.md, say it: read, checked for itself,
/// and nothing of this machine looked at.
namespace kedge::oci {

class Field;

struct IdMapping {
    uint32_t inside = 0, outside = 0, size = 0;
};

struct IdMappings {
    std::vector<IdMapping> users, groups;
    bool empty() const { return users.empty() && groups.empty(); }
};

struct Mount {
    std::string where;  ///< its place in the configuration, for errors
    std::string destination;
    std::string type;
    std::string source;
    std::vector<std::string> options;
    IdMappings mappings;
};

struct Capabilities {
    runtime::CapabilityMask bounding = 0;
    runtime::CapabilitySets sets;
    std::vector<std::string> unknown;
};

struct Scheduler {
    uint32_t policy = 0;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 0, deadline = 0, period = 0;
};

struct Process {
    bool terminal = false;
    unsigned rows = 0, columns = 0;
    uint32_t uid = 0, gid = 0;
    std::vector<uint32_t> groups;
    std::optional<uint32_t> umask;
    std::vector<std::string> arguments, environment;
    std::string working_dir;
    Capabilities capabilities;
    std::vector<shim::Limit> limits;
    bool no_new_privileges = false;
    std::optional<int> oom_score_adj;
    std::string apparmor_profile;
    std::optional<Scheduler> scheduler;
    std::optional<int> io_priority;                         ///< as ioprio_set(2) takes it
    std::vector<int> initial_processors, final_processors;  ///< of exec
};

struct Hook {
    std::string where, path;
    std::vector<std::string> arguments, environment;
    int timeout = 0;  ///< seconds; 0: none
};

struct Hooks {
    std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart, poststop;
};

struct Namespace {
    std::string where;
    uint32_t type = 0;  ///< CLONE_NEW*
    std::string path;   ///< empty: a new one
};

struct Device {
    std::string where, path;
    uint32_t mode = 0;  ///< with the type
    uint64_t number = 0;
    uint32_t uid = 0, gid = 0;
};

struct Config {
    std::string version, root;
    bool read_only = false;
    std::string hostname, domainname;
    std::vector<Mount> mounts;
    std::optional<Process> process;
    Hooks hooks;
    std::map<std::string, std::string> annotations;
    std::vector<Namespace> namespaces;
    IdMappings mappings;
    std::string time_offsets;  ///< as /proc/self/timens_offsets takes them
    std::vector<Device> devices;
    std::string cgroups_path;
    Resources resources;
    uint64_t root_propagation = 0;  ///< MS_*; 0: not given
    std::vector<std::string> masked_paths, read_only_paths;
    std::vector<std::pair<std::string, std::string>> sysctls;
    std::string seccomp;  ///< JSON; empty: none
    std::vector<std::string> seccomp_flags;
    bool seccomp_notifies = false;  ///< some calls are decided by who listens at `listener_path`
    std::string listener_path, listener_metadata;
    std::optional<uint32_t> personality;
    std::vector<std::string> warnings;

    /// nullptr if it has none of this type.
    const Namespace* find(uint32_t type) const;
    bool has_new(uint32_t type) const;
};

/// Throws Error that names the place.
Config parse_config(const std::string& text);
Process parse_process(const Field& process);
void parse_linux(const Field& linux_part, Config& config);
void parse_seccomp(const Field& seccomp, Config& config);
IdMappings parse_mappings(const Field& object);

}  // namespace kedge::oci
