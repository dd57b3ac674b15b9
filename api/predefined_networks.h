#pragma once

#include "api/services.h"
#include "runtime/networks.h"

#include <optional>
#include <string>
#include <vector>

namespace kedge::api {

/// `bridge`, `host` and `none`: Docker has them from the start, and nobody may make or remove them.
bool is_predefined(const std::string& network);

/// `host` and `none` as networks, with the running containers of these modes: the engine has nothing of the kind.
std::vector<runtime::NetworkInfo> mode_networks(const Services& services);

/// One of them, by name or id.
std::optional<runtime::NetworkInfo> find_mode_network(const Services& services, const std::string& name_or_id);

}  // namespace kedge::api
