#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kedge::runtime {

using MacAddress = std::array<uint8_t, 6>;

/// `02:42:ac:11:00:02`, also with dashes; empty if it is none, or one of a group.
std::optional<MacAddress> parse_mac(const std::string& text);
std::string to_string(const MacAddress& mac);

/// The options of a container's end on one network.
struct EndpointOptions {
    std::string interface;                                      ///< its name inside; empty: eth0 and so on
    std::vector<std::pair<std::string, std::string>> settings;  ///< path below /proc/sys/net with IFNAME in it, value
};
/// `com.docker.network.endpoint.ifname` and `com.docker.network.endpoint.sysctls`
/// (`net.ipv4.conf.IFNAME.log_martians=1,...`). Throws Error (invalid_argument) that names an unknown option or a wrong
/// value.
EndpointOptions parse_endpoint_options(const std::map<std::string, std::string>& options);

}  // namespace kedge::runtime
