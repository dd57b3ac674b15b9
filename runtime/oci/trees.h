#pragma once

#include "base/confined.h"
#include "base/fd.h"
#include "runtime/oci/config.h"

#include <string>
#include <utility>
#include <vector>

namespace kedge::oci {

/// A detached copy of the mount at `path`, with what is mounted below it if `recursive`. It belongs to no namespace
/// until it is put somewhere. Throws Error that names the path.
Fd open_tree(const std::string& path, bool recursive);

/// Shows the tree's owners as the mapping has them. Throws Error.
void map_ids(int tree, const IdMappings& mappings, bool recursive);

/// A new tmpfs with a copy of a folder of the container's root, if there is one (`tmpcopyup`). Without one it belongs
/// to root of the mapping. Throws Error.
Fd copy_of_folder(const ConfinedRoot& root, const std::string& path,
                  const std::vector<std::pair<std::string, std::string>>& options, const IdMappings& mappings);

}  // namespace kedge::oci
