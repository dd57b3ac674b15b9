#pragma once

#include "reconciler/controller.h"

#include <nlohmann/json_fwd.hpp>

namespace kedge::api {

// The control loop's values as kedge's own API writes them: snake_case, times in RFC 3339, absent where there is
// nothing.

nlohmann::json release_json(const reconciler::Release& release);
/// With the project and the images that it wants.
nlohmann::json release_detail_json(const reconciler::Release& release);
nlohmann::json project_json(const reconciler::ProjectStatus& status);
nlohmann::json source_json(const reconciler::SourceStatus& status);
nlohmann::json diff_json(const reconciler::Controller::Diff& diff);

}  // namespace kedge::api
