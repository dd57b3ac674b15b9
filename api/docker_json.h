#pragma once

#include "base/clock.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace kedge::runtime {
struct ContainerInfo;
struct ContainerSpec;
struct ContainerUpdate;
struct ContainerUsage;
struct Event;
struct ImageConfig;
struct ImageInfo;
struct NetworkAttachment;
struct NetworkInfo;
struct VolumeInfo;
struct Healthcheck;
struct Progress;
struct PortBinding;
class Volumes;
}  // namespace kedge::runtime

namespace kedge::api {

class Fields;

// The engine's values as Docker's Engine API 1.51 writes them; see older_versions.h for clients of before.

/// An item of GET /containers/json.
nlohmann::json container_summary(const runtime::ContainerInfo& info, WallTime now);
/// GET /containers/{id}/json.
nlohmann::json container_inspection(const runtime::ContainerInfo& info);
/// `Up 3 minutes (healthy)`, `Exited (1) 2 hours ago`.
std::string status_text(const runtime::ContainerInfo& info, WallTime now);
/// The `NetworkSettings.Networks` of a container.
nlohmann::json endpoints_json(const runtime::ContainerInfo& info);
/// The `Mounts` of a container.
nlohmann::json mounts_json(const runtime::ContainerInfo& info);
/// Fills in where volumes lie on this machine, which a container's mounts don't know.
void put_volume_folders(nlohmann::json& mounts, const runtime::Volumes& volumes);
/// The `HostConfig` of a container.
nlohmann::json host_config_json(const runtime::ContainerSpec& spec);
nlohmann::json healthcheck_json(const runtime::Healthcheck& check);

/// What POST /containers/create asks for. Throws Error for what is malformed, and for what kedge hasn't.
runtime::ContainerSpec container_spec(const Fields& body);
/// Host config's part of it.
void read_host_config(const Fields& host, runtime::ContainerSpec& spec);
/// What POST /containers/{id}/update asks for.
runtime::ContainerUpdate container_update(const Fields& body);
runtime::Healthcheck read_healthcheck(const Fields& check);
// Each adds one to the spec's mounts: an item of HostConfig.Mounts, one of HostConfig.Tmpfs, `source:target[:options]`
// of HostConfig.Binds.
void read_mount(const Fields& from, runtime::ContainerSpec& spec);
void read_tmpfs(const std::string& target, const std::string& options, runtime::ContainerSpec& spec);
void read_bind(const std::string& text, runtime::ContainerSpec& spec);

/// An answer of GET /containers/{id}/stats; `now` is null for a container that doesn't run, `before` where there is no
/// earlier one.
nlohmann::json stats_json(const runtime::ContainerInfo& info, const runtime::ContainerUsage* now,
                          const runtime::ContainerUsage* before);

/// `shared`: bytes of its layers that other images have too; -1: not asked for.
nlohmann::json image_summary(const runtime::ImageInfo& info, int containers, int64_t shared = -1);
nlohmann::json image_inspection(const runtime::ImageInfo& info);
nlohmann::json image_history(const runtime::ImageInfo& info);
nlohmann::json network_json(const runtime::NetworkInfo& info);
/// How a container is connected to a network has an id of its own.
std::string endpoint_id(const std::string& container, const std::string& network_id);
/// Aliases, address and the like of one network that a container is to join. Throws Error.
runtime::NetworkAttachment read_endpoint(const Fields& endpoint, const std::string& network);
nlohmann::json volume_json(const runtime::VolumeInfo& info);
nlohmann::json event_json(const runtime::Event& event);
/// A line of a pull's or load's stream.
nlohmann::json progress_json(const runtime::Progress& progress);

/// The empty string for none, as Docker does for times.
int64_t unix_seconds(WallTime time);

}  // namespace kedge::api
