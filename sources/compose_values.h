#pragma once

#include "sources/project.h"
#include "sources/yaml_tree.h"

#include <map>
#include <string>
#include <vector>

namespace kedge::sources {

// Readers of values whose meaning the engine knows. What it would refuse when a container is made is refused here, with
// the line that it stands in, before anything running is touched.

/// `SIGTERM`, `term`, `15`, `RTMIN+3`
std::string read_signal(const yaml::Node& node);

/// Names of capabilities, with or without `CAP_`, and `ALL`.
std::vector<std::string> read_capabilities(const yaml::Node& node);

/// Letters, digits, dots, hyphens and underscores; at most 64, as the kernel has it.
std::string read_hostname(const yaml::Node& node);
bool is_hostname(const std::string& text);

/// `[/run:size=64m,mode=1777]`; sizes come back in bytes, paths without `.` and `..`.
std::vector<std::string> read_tmpfs(const yaml::Node& node);

/// `[/dev/a]`, `[/dev/a:/dev/b:r]` or `[{source, target, permissions}]`; all come back with three parts.
std::vector<std::string> read_devices(const yaml::Node& node);

std::vector<Ulimit> read_ulimits(const yaml::Node& node);

/// Only those that belong to a namespace of the container.
std::map<std::string, std::string> read_sysctls(const yaml::Node& node);

std::vector<std::string> read_addresses(const yaml::Node& node);

/// `[name=address]`; comes back as `name:address`.
std::vector<std::string> read_extra_hosts(const yaml::Node& node);

void read_logging(const yaml::Node& node, Service& service);

}  // namespace kedge::sources
