#pragma once

#include "sources/project.h"
#include "sources/yaml_tree.h"

#include <string>
#include <vector>

namespace kedge::sources {

/// One entry of `ports`, short (`[ip:][host:]container[/protocol]`, with ranges) or long form.
std::vector<Port> read_port(const yaml::Node& node);

/// What an override replaces a port by: address, published and target port, protocol.
std::string port_identity(const yaml::Node& node);

/// `expose` says what is open inside already; only its form counts.
void check_expose(const yaml::Node& node);

}  // namespace kedge::sources
