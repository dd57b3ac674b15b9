#pragma once

#include "sources/yaml_tree.h"

#include <initializer_list>
#include <string_view>

namespace kedge::sources {

/// The keys that the Compose specification knows in one kind of object.
struct KeyTable {
    std::initializer_list<std::string_view> supported;
    std::initializer_list<std::string_view> later;  ///< in the specification, but not supported yet
};

/// Throws unless `node` is a map of supported keys. Keys that start with `x-` are free, but for `x-kedge`.
void check_keys(const yaml::Node& node, const KeyTable& table);

namespace keys {
extern const KeyTable project, service, network, ipam, ipam_config, volume, secret, config, port, mount, mount_bind,
    mount_volume, mount_tmpfs, network_use, dependency, healthcheck, logging, ulimit, file_use, env_file, extends,
    include, device, deploy, deploy_resources, deploy_limits, deploy_reservations, deploy_restart, deploy_update,
    deploy_rollback, kedge, kedge_probe, kedge_http;
}  // namespace keys

}  // namespace kedge::sources
