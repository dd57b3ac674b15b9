#pragma once

#include "sources/yaml_tree.h"

namespace kedge::sources {

/// Rewrites the short forms that merging and reading would otherwise have to know twice: lists of `K=V` into maps,
/// single strings into lists, `depends_on` and `networks` lists into maps. What has another shape is left for the
/// readers to refuse.
void normalize_services(yaml::Node& file);

/// Merges a later file over an earlier one (Compose specification, 13-merge.md): maps key by key, lists appended,
/// entries with the same identity (a port, a mount's target, a variable's name) replaced, commands replaced whole;
/// `!override` replaces and
/// `!reset` removes.
void merge_tree(yaml::Node& base, yaml::Node over);
/// The same for a service over what it extends.
void merge_service(yaml::Node& base, yaml::Node over);

/// Takes out what is tagged `!reset`, once all files are merged.
void drop_resets(yaml::Node& node);

}  // namespace kedge::sources
