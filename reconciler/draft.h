#pragma once

#include "reconciler/slots.h"

#include <set>
#include <string>
#include <vector>

namespace kedge::reconciler {

/// A plan while it is being made: what it is made from, and what its steps so far have done.
struct Draft {
    const Target& target;
    const std::map<std::string, std::string>& hashes;
    const Observed& observed;
    const History& history;
    const Policy& policy;
    std::vector<std::string> order;
    std::vector<Slot> slots;
    std::set<std::string> new_networks;         ///< names of those that are made anew under the containers that stay
    std::set<std::string> gone;                 ///< ids that left their place
    std::map<std::string, std::string> halted;  ///< ids that stay, and were stopped on the way: why
    std::set<std::string> renewed;              ///< services that got another container
    std::set<std::string> touched;              ///< services with any step
    std::vector<Step> steps;

    void add(Action action, const std::string& reason) { steps.push_back({std::move(action), reason}); }
};

/// One container leaves its place: kept aside for going back, or removed when the plan itself goes back.
void add_leave(Draft& draft, const ObservedContainer& container, const std::string& reason);

/// What must be out of the way before any service has its turn: containers that nobody wants, those with a name or port
/// that another place needs, and those on networks that are made anew.
void add_room(Draft& draft);
/// Going back: containers that the target doesn't know, but that were there before the release that is left (another
/// tool made them).
void add_returns(Draft& draft);
void find_new_networks(Draft& draft);
void add_networks(Draft& draft);
void add_volumes(Draft& draft);
/// Networks of the project that the target doesn't use.
void add_network_removals(Draft& draft);

/// Every step of one service, with what it has to wait for.
void add_service(Draft& draft, const std::string& service);

}  // namespace kedge::reconciler
