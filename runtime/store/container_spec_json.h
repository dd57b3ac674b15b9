#pragma once

#include "runtime/container_spec.h"

#include <nlohmann/json_fwd.hpp>

namespace kedge::runtime {

// nlohmann/json conversions of the spec's parts, for the rooms of the engine that store or print them.
void to_json(nlohmann::json& j, const ContainerSpec& v);
void from_json(const nlohmann::json& j, ContainerSpec& v);
void to_json(nlohmann::json& j, const Mount& v);
void from_json(const nlohmann::json& j, Mount& v);
void to_json(nlohmann::json& j, const PortBinding& v);
void from_json(const nlohmann::json& j, PortBinding& v);
void to_json(nlohmann::json& j, const Healthcheck& v);
void from_json(const nlohmann::json& j, Healthcheck& v);
void to_json(nlohmann::json& j, const NetworkAttachment& v);
void from_json(const nlohmann::json& j, NetworkAttachment& v);

}  // namespace kedge::runtime
