#pragma once

#include "runtime/container_spec.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// Checks all of a spec that can be told without looking at the image or at other containers, before anything is made
/// of it. Throws Error (invalid_argument) in Docker's words. Returns what of it can't be in force on this machine.
std::vector<std::string> check_spec(const ContainerSpec& spec);

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. Throws Error.
void check_container_name(const std::string& name);

/// The form of the addresses and driver options of an endpoint. Throws Error.
void check_endpoint(const NetworkAttachment& network);
/// The name server of user-defined networks asks from the host's side, where a loopback address is the host's. Throws
/// Error.
void check_dns_of_networks(const std::vector<std::string>& servers);

/// `container[:ro|rw|z|Z]` of volumes_from. Throws Error.
struct VolumesFrom {
    std::string container;
    bool read_only = false;
};
VolumesFrom parse_volumes_from(const std::string& text);

/// The id or name in `container:<id>`; empty for any other mode.
std::string container_of_mode(const std::string& mode);

}  // namespace kedge::runtime
