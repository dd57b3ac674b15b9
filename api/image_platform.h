#pragma once

#include "api/http.h"
#include "runtime/images.h"

#include <vector>

namespace kedge::api {

/// The platforms that the query's `parameter` names, each as a JSON object (OCI image-spec, image-index.md, "platform")
/// since version `since` of the API; before it the parameter meant nothing. Throws Error.
std::vector<runtime::Platform> asked_platforms(const Request& request, const char* parameter, int since);

/// The image that `request` names. kedge keeps one platform of each: Error (not_found, in Docker's words) if that isn't
/// the one that `parameter` asks for.
runtime::ImageInfo image_of_platform(const runtime::Images& images, const Request& request, const char* parameter,
                                     int since);
void expect_platform(const runtime::ImageInfo& info, const std::string& name, const runtime::Platform& asked);

}  // namespace kedge::api
