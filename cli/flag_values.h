#pragma once

#include "cli/arguments.h"
#include "cli/run_options.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kedge::cli {

/// Values of flags in Docker's notation, read into Docker's JSON. All throw Error (invalid_argument) in Docker's words.

/// `a=b` and nothing else.
std::pair<std::string, std::string> key_and_value(const std::string& text, const std::string& flag);

// flag_ports.cpp
/// -p `[[ip:][host port]:]container port[/protocol]`, with ranges: puts ExposedPorts and HostConfig.PortBindings.
void put_published_ports(const std::vector<std::string>& flags, nlohmann::json& body);
/// --expose `80`, `80-90/udp`.
void put_exposed_ports(const std::vector<std::string>& flags, nlohmann::json& body);

// flag_mounts.cpp
/// -v: puts HostConfig.Binds, and Volumes for anonymous ones.
void put_volumes(const std::vector<std::string>& flags, const std::string& folder, nlohmann::json& body);
/// --mount `type=bind,source=/a,target=/b,readonly`, as HostConfig.Mounts has it.
nlohmann::json read_mount(const std::string& flag, const std::string& folder);
/// --tmpfs `/run:size=1m`: the path and the options.
std::pair<std::string, std::string> read_tmpfs(const std::string& flag);

// flag_variables.cpp
/// --env-file and then -e; a name without value takes this process' value, or stays alone if there is none: the agent
/// takes such out of the environment.
std::vector<std::string> read_variables(const std::vector<std::string>& files, const std::vector<std::string>& flags,
                                        const Outside& outside);
std::map<std::string, std::string> read_labels(const std::vector<std::string>& files,
                                               const std::vector<std::string>& flags, const Outside& outside);

// flag_networks.cpp
/// --network, --network-alias and --ip: puts HostConfig.NetworkMode and NetworkingConfig.
void put_networks(const RunOptions& options, nlohmann::json& body);
/// --add-host `name:address` or `name=address`, in the former notation.
std::string read_extra_host(const std::string& flag);
std::string read_dns(const std::string& flag);

// flag_limits.cpp
void put_limits(const RunOptions& options, nlohmann::json& host);
// flag_device_limits.cpp
/// --blkio-weight-device, --device-read-bps and the like.
void put_device_limits(const RunOptions& options, nlohmann::json& host);
/// --gpus, as an item of HostConfig.DeviceRequests.
nlohmann::json read_gpus(const std::string& flag);

// flag_limits.cpp again
nlohmann::json read_ulimit(const std::string& flag);
nlohmann::json read_restart(const std::string& flag);
/// `/dev/a[:/dev/b][:rwm]`
nlohmann::json read_device(const std::string& flag);
/// Billionths of a processor.
int64_t read_cpus(const std::string& flag);
/// seccomp=FILE becomes its content.
std::string read_security_option(const std::string& flag, const Outside& outside);
/// --health-*; null if none was given.
nlohmann::json read_health(const RunOptions& options);

}  // namespace kedge::cli
