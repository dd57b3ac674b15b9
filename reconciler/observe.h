#pragma once

#include "reconciler/plan.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kedge::runtime {
class Engine;
}

namespace kedge::reconciler {

/// Everything on the machine at one moment, read once for all projects of a pass.
struct Machine {
    std::vector<std::shared_ptr<const runtime::ContainerInfo>> containers;
    std::vector<runtime::NetworkInfo> networks;
    std::vector<runtime::VolumeInfo> volumes;
    std::multimap<std::string, size_t> by_project;  ///< project label -> index in containers
    std::map<std::string, size_t> by_name;
};

Machine observe_machine(runtime::Engine& engine);
/// Containers only, to be found by their project's label.
Machine observe_containers(runtime::Engine& engine);

/// What of it concerns the target: containers labelled with its project or with a name that it wants, networks and
/// volumes labelled with it or with a name that it wants.
Observed observe(const Machine& machine, const Target& target, const History& history);

}  // namespace kedge::reconciler
