#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace kedge::cli {

/// The members that Docker's `stats --format` knows, worked out as Docker's command does, of an answer of
/// GET /containers/{id}/stats. `asked`: what the user called the container.
nlohmann::json stats_row(const nlohmann::json& stats, const std::string& asked, bool no_trunc);
/// The same for a container of which nothing is known yet.
nlohmann::json unknown_stats_row(const std::string& asked, bool no_trunc);

/// Whether the container ran when the answer was made.
bool is_sample(const nlohmann::json& stats);

/// `524KiB`, `23.54GiB`: four digits, powers of 1024.
std::string human_memory(uint64_t bytes);

}  // namespace kedge::cli
