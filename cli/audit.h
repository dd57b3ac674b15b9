#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace kedge::cli {

/// `alice (docker)` of an entry of the agent's audit log.
std::string who_of(const nlohmann::json& change);
/// `POST /containers/web/stop`.
std::string request_of(const nlohmann::json& change);

}  // namespace kedge::cli
