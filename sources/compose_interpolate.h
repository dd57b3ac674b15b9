#pragma once

#include "sources/compose.h"

namespace kedge::sources {

using Lookup = std::function<const std::string*(const std::string&)>;

/// interpolate() that also says which variables were replaced by nothing because they aren't set.
std::string interpolate(const std::string& text, const Lookup& lookup,
                        const std::function<void(const std::string&)>& on_unset);

/// parse_env_file() with other variables behind it than those of a map.
std::map<std::string, std::string> parse_env_file(const std::string& text, const std::string& name,
                                                  const Lookup& known);

}  // namespace kedge::sources
