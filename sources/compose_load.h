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
    const ComposeInput& input;
    ProjectFiles files;
    std::map<std::string, std::string> variables;  ///< for interpolation and for names without a value
    std::set<std::string> warnings;
};

/// A relative or `~` path of a file to read, resolved against the project's folder. `what` fails at the node for paths outside a confined tree.
std::string resolve_file(const Loading& loading, const yaml::Node& node, const std::string& path);
/// Reads such a file; errors name the node.
std::string read_project_file(const Loading& loading, const yaml::Node& node, const std::string& path, size_t limit = 1u << 20);

Service read_service(Loading& loading, const std::string& name, const yaml::Node& node);
VolumeMount read_mount(const Loading& loading, const yaml::Node& node);
void read_deploy(Loading& loading, const yaml::Node& node, Service& service);
std::optional<Probe> read_probe(const yaml::Node& node);
std::map<std::string, std::string> read_environment(Loading& loading, const yaml::Node& service);

void read_networks(const yaml::Node& file, Project& project);
void read_volumes(const yaml::Node& file, Project& project);
void read_file_sources(Loading& loading, const yaml::Node& file, Project& project);

/// What only the whole project shows: references, cycles, names in use twice, and what no service uses, which is left out.
/// `disabled`: services of inactive profiles, with their profiles.
void check_project(const yaml::Node& file, const std::map<std::string, std::vector<std::string>>& disabled, Project& project);

}  // namespace kedge::sources
