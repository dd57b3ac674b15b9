#pragma once

#include "sources/compose.h"
#include "sources/compose_files.h"
#include "sources/compose_read.h"
#include "sources/yaml_tree.h"

#include <set>
#include <string>

namespace kedge::sources {

/// What the readers of one project share.
struct Loading {
    explicit Loading(const ComposeInput& asked) : input(asked), files(asked.directory, asked.confine_to) {}

    const ComposeInput& input;
    ProjectFiles files;
    std::map<std::string, std::string> variables;  ///< for interpolation and for names without a value
    std::set<std::string> warnings;
    size_t bytes = 0;  ///< read from files and variables so far: see spend()
    size_t ports = 0;
    const yaml::Node* included_from = nullptr;  ///< where messages about an included file that isn't there point to
    std::vector<std::string> including;         ///< the included files on the way to the one being read
    size_t trees = 0;                           ///< YAML files read
    bool inactive =
        false;  ///< a service of an inactive profile is being read: the files that it names need not be there
};

/// Tag of a value that was the name of a variable: it is the variable's value now. No file can have it.
inline constexpr const char* kResolved = "!resolved";
/// In the place of a file that isn't wanted.
inline constexpr const char* kNoFile = "/dev/null";
inline constexpr size_t kServiceLimit = 1000;
inline constexpr size_t kPortLimit = 100000;
inline constexpr size_t kPathLimit = 4096;
/// Of everything that a project takes from its files, environment files, secrets and configs: each file is small, but a
/// thousand services may name or extend it.
inline constexpr size_t kBytesLimit = 64u << 20;

/// Counts; fails at the node when a project takes more than kBytesLimit.
void spend(Loading& loading, const yaml::Node& node, size_t bytes);

/// A variable's value for interpolation, for names without a value and for secrets; null if it isn't set. Fails at the
/// node if it is no UTF-8.
const std::string* find_variable(const Loading& loading, const yaml::Node& node, const std::string& name);

/// Fails at the node for what is longer than a path can be: taking it apart would be work for nothing.
void check_path(const yaml::Node& node, const std::string& path);

/// A relative or `~` path of a file to read, resolved against the project's folder. `what` fails at the node for paths
/// outside a confined tree.
std::string resolve_file(const Loading& loading, const yaml::Node& node, const std::string& path);
/// Reads such a file; errors name the node.
std::string read_project_file(Loading& loading, const yaml::Node& node, const std::string& path,
                              size_t limit = 1u << 20);

Service read_service(Loading& loading, const std::string& name, const yaml::Node& node);
VolumeMount read_mount(const Loading& loading, const yaml::Node& node);
/// A mount's target in the container: absolute, not the root. It comes back without `.` and `..`.
std::string read_target(const yaml::Node& node, const std::string& text);
/// `scaled`: the service has `scale` too.
void read_deploy(Loading& loading, const yaml::Node& node, Service& service, bool scaled);
std::optional<Probe> read_probe(const yaml::Node& node);
std::map<std::string, std::string> read_environment(Loading& loading, const yaml::Node& service);

/// All but its names.
void read_network_settings(const yaml::Node& node, Network& network);
/// The `networks` of a service, those of higher priority first.
std::vector<NetworkUse> read_network_uses(const yaml::Node& node);
void read_networks(const yaml::Node& file, Project& project);
void read_volumes(const yaml::Node& file, Project& project);
void read_file_sources(Loading& loading, const yaml::Node& file, Project& project);

/// What one service shows: limits that contradict each other, two mounts at one place, replicas of what there can be
/// only one of.
void check_service(const yaml::Node& node, const Service& service);
/// Host ports that two containers can't have at the same time.
void check_ports(const yaml::Node& file, const Project& project);
/// What only the whole project shows: references, cycles, names in use twice, and what no service uses, which is left
/// out. `disabled`: services of inactive profiles, with their profiles.
void check_project(const yaml::Node& file, const std::map<std::string, std::vector<std::string>>& disabled,
                   Project& project);

}  // namespace kedge::sources
