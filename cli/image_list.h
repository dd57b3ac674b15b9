#pragma once

#include <nlohmann/json_fwd.hpp>

namespace kedge::cli {

/// The agent's images as the rows of `kedge images`, with the members that Docker's `images --format` knows: one for
/// each name of an image, with `digests` also for each digest that it is known by.
nlohmann::json image_rows(const nlohmann::json& images, bool no_trunc, bool digests);

}  // namespace kedge::cli
