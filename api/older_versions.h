#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace kedge::api {

// What versions of Docker's Engine API before kNewestApi say otherwise (moby, api/docs/CHANGELOG.md). The rest of this
// room reads and writes the newest one: here a request of an older client becomes one of today, and a reply of today
// becomes what that client knows. `api` is the minor number of its version.

/// The body of POST /containers/create. Returns warnings. Throws Error for what that version had not, and for what
/// contradicts itself.
std::vector<std::string> read_older_create(nlohmann::json& body, int api);

/// An item of GET /images/json and the `Images` of GET /system/df.
void write_older_image_summary(nlohmann::json& item, int api);
/// GET /images/{name}/json.
void write_older_image(nlohmann::json& inspection, int api);
/// An item of GET /containers/json.
void write_older_container_summary(nlohmann::json& item, int api);
/// GET /containers/{id}/json.
void write_older_container(nlohmann::json& inspection, int api);
/// GET /info.
void write_older_info(nlohmann::json& info, int api);

}  // namespace kedge::api
