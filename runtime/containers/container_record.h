#pragma once

#include "runtime/containers.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// One container as the engine keeps it: what others see, and what the engine needs to finish or undo its own steps.
struct ContainerRecord {
    ContainerInfo info;
    std::vector<std::string> anonymous_volumes;  ///< made for it; `remove` with volumes takes them away
    std::vector<std::string> exposed_ports;      ///< `80/tcp`, the image's: publish_all publishes them
    bool complete = false;  ///< false until create() has made its volumes and folder; nobody sees it before
    bool starting = false;  ///< from before the shim is spawned until its networks are connected
    bool ended = false;     ///< the exit is written down, but networks, cgroups and run folder are not yet cleaned up
    bool remove_volumes = false;  ///< status `removing`: with the anonymous volumes
    bool ports_published = true;  ///< false: started with StartOptions::publish_ports false
};

/// What a container of this spec joins at first: see ContainerInfo::networks.
std::vector<NetworkAttachment> networks_of(const ContainerSpec& spec);

/// The parts that change in a container's life, and those that create() fixed, as JSON for the store.
std::string state_to_json(const ContainerRecord& record);
std::string resolved_to_json(const ContainerRecord& record);
/// The same, back into `record`. Throw Error (invalid_argument) for a damaged text.
void state_from_json(const std::string& text, ContainerRecord* record);
void resolved_from_json(const std::string& text, ContainerRecord* record);

}  // namespace kedge::runtime
