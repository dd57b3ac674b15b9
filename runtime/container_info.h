#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "runtime/container_spec.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

enum class Status { created, running, paused, restarting, removing, exited, dead };
std::string_view to_string(Status status);
/// It has processes.
constexpr bool is_up(Status status) {
    return status == Status::running || status == Status::paused;
}

/// One run of a probe, newest last; Docker keeps five.
struct ProbeResult {
    WallTime start;
    WallTime end;
    int exit_code = 0;   ///< 0 healthy, 1 unhealthy, -1 the probe itself failed or timed out
    std::string output;  ///< at most 4096 bytes
};

struct Health {
    enum class Status { none, starting, healthy, unhealthy };
    Status status = Status::none;
    int failing_streak = 0;
    std::vector<ProbeResult> log;
};
std::string_view to_string(Health::Status status);

struct NetworkEndpoint {
    std::string network;  ///< the network's name
    std::string network_id;
    std::string ip;  ///< empty: none; also while the container doesn't run
    int prefix_length = 0;
    std::string gateway;
    std::string mac;
    std::vector<std::string> aliases;
    int gateway_priority = 0;
    std::string link;                            ///< the host's end
    std::map<std::string, std::string> options;  ///< of its NetworkAttachment
    std::string ip6;                             ///< likewise
    int prefix_length6 = 0;
    std::string gateway6;
    /// While a running container is connected to it or disconnected from it: what has to be finished, or undone.
    enum class Change { none, joining, leaving };
    Change change = Change::none;

    bool is_there() const { return !ip.empty() || !ip6.empty(); }
    /// The network's own address, where names are asked for: of IPv4 if it has any.
    const std::string& server() const { return gateway.empty() ? gateway6 : gateway; }
};

/// What is known of one container: a value, a moment's picture.
struct ContainerInfo {
    std::string id;  ///< 64 hex digits
    std::string name;
    ContainerSpec spec;  ///< as asked for
    Digest image_id;     ///< the config's digest of the image that it was made from
    // what the spec came to once the image was taken into account
    std::vector<std::string> arguments;  ///< entrypoint and command
    std::vector<std::string> environment;
    std::string working_dir;
    std::string user;
    std::string stop_signal;
    std::optional<Healthcheck> healthcheck;  ///< the one in force; empty: none
    std::map<std::string, std::string> labels;
    std::vector<Mount> mounts;  ///< with the names of anonymous volumes
    /// Joined at each start, by name: what the spec asks for, and what connecting and disconnecting made of it. `host`
    /// and `none` are among them.
    std::vector<NetworkAttachment> networks;

    WallTime created;
    Status status = Status::created;
    int pid = 0;  ///< of its first process, in the host's namespace; 0 when not running
    int exit_code = 0;
    bool oom_killed = false;
    std::string error;  ///< why it could not start, as the user typed it
    WallTime started;
    WallTime finished;
    int restart_count = 0;
    bool stopped_by_hand = false;  ///< `unless-stopped` does not start it again
    Health health;
    std::vector<NetworkEndpoint> endpoints;
    std::vector<PortBinding> ports;  ///< published now, with the ports that were chosen
    std::string log_path;
    std::vector<std::string>
        warnings;  ///< what was asked for and is not in force on this machine: found by create(), anew by each start
};

/// Bytes of files on disk.
struct ContainerSize {
    int64_t writable = 0;  ///< what it changed of its image
    int64_t root_fs = 0;   ///< with the image
};

}  // namespace kedge::runtime
