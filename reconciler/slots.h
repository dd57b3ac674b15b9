#pragma once

#include "reconciler/plan.h"

#include <map>
#include <string>
#include <vector>

namespace kedge::reconciler {

/// One place for a container: number `number` of a service. What is on the machine is matched against it.
struct Slot {
    std::string service;
    int number = 1;
    std::string name;                               ///< that its container has to have; empty if nobody wants it
    const sources::Service* wanted = nullptr;       ///< null: the target has no such container
    const ObservedContainer* keep = nullptr;        ///< fits as it is, perhaps stopped, renamed or retired
    std::vector<const ObservedContainer*> leaving;  ///< has to make room: live ones, and retired ones that still run
    std::string reason;                             ///< why a container is made, or why what is there leaves
};

/// The release that a container was made for; 0 if kedge did not make it.
int64_t release_of(const ObservedContainer& container);
bool made_by_kedge(const ObservedContainer& container);
/// Whether the project owns it, by Compose's label.
bool belongs(const ObservedContainer& container, const Target& target);
/// Running, or on its way to run again by its restart policy.
bool is_up(const ObservedContainer& container);
/// Ended by itself with 0 and isn't meant to run on.
bool is_completed(const ObservedContainer& container);

/// Every place that the target wants (services in `order`, numbers ascending), then every place that only observed
/// containers have. Throws Error (conflict) when a container that isn't the project's has a name that is wanted.
std::vector<Slot> match_slots(const Target& target, const std::vector<std::string>& order,
                              const std::map<std::string, std::string>& hashes, const Observed& observed);

}  // namespace kedge::reconciler
