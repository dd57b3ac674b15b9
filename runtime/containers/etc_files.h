#pragma once

#include "runtime/containers/container_record.h"

#include <string>

namespace kedge::runtime {

/// What a container's /etc/hosts, /etc/hostname and /etc/resolv.conf say.
struct EtcFiles {
    std::string hosts;
    std::string hostname;
    std::string resolv_conf;
};

/// `endpoints` are those of this start; `name_server` is the network's, empty without a network. `host_gateway` is what
/// `host-gateway` means in extra_hosts; empty: it is an error to use it. Throws Error.
EtcFiles etc_files(const ContainerInfo& info, const std::string& hostname,
                   const std::vector<NetworkEndpoint>& endpoints, const std::string& name_server,
                   const std::string& host_gateway);

/// The host's resolver configuration (its `search` line is taken over).
std::string host_resolv_conf();
std::string host_name();

/// Writes them into the container's folder, in place: a running container has them mounted.
void write_etc_files(int container_folder, const EtcFiles& files);

/// Only what is not as it was, and in the container is still as it was written.
void write_changed_etc_files(int container_folder, const EtcFiles& before, const EtcFiles& after);

}  // namespace kedge::runtime
