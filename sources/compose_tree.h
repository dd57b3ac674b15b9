#pragma once

#include "sources/compose_load.h"

namespace kedge::sources {

/// YAML files read for one project, whether given, extended or included.
inline constexpr size_t kTreeLimit = 200;

/// The files, each with its variables replaced, its extended services and included files resolved, merged in order.
/// Relative paths in it start at `folder`.
yaml::Node load_tree(Loading& loading, const std::vector<std::string>& files, const std::string& folder);

/// One file as it is. Fails at `from` (or as not_found) if it isn't there.
yaml::Node parse_file(Loading& loading, const std::string& path, const yaml::Node* from = nullptr);

/// The same with its variables replaced and short forms rewritten.
yaml::Node load_file(Loading& loading, const std::string& path, const yaml::Node* from = nullptr);

/// Replaces the variables in every string value.
void interpolate_tree(Loading& loading, yaml::Node& node);

/// Gives each service with `extends` what the other one has (Compose specification, 05-services.md, "extends").
void resolve_extends(Loading& loading, yaml::Node& file, const std::string& path, const std::string& folder);

/// Adds what the included files declare (14-include.md); what both declare differently is an error.
void resolve_includes(Loading& loading, yaml::Node& file, const std::string& folder);

/// Rewrites the relative paths of a service that start at one folder so that they start at another.
void rebase_service(yaml::Node& service, const std::string& from, const std::string& to);
/// The same for one value.
void rebase_path(yaml::Node& path, const std::string& from, const std::string& to);

}  // namespace kedge::sources
