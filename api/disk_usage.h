#pragma once

#include "api/http.h"
#include "api/services.h"
#include "base/digest.h"
#include "runtime/containers.h"
#include "runtime/images.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <vector>

namespace kedge::api {

/// GET /system/df: what images, containers and volumes take on disk. `type` asks for some of them.
nlohmann::json disk_usage(const Request& request, const Services& services);

/// Bytes of each image's layers that others of them have too.
std::map<Digest, int64_t> shared_sizes(const std::vector<runtime::ImageInfo>& images);

/// SizeRw and SizeRootFs.
void put_size(nlohmann::json& container, const runtime::ContainerSize& size);

}  // namespace kedge::api
