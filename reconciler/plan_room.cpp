#include "reconciler/draft.h"
#include "reconciler/render_parts.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

/// Without an address it is all of both families.
bool same_address(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty() || a == b) return true;
    const bool ipv6 = a.find(':') != std::string::npos;
    if (ipv6 != (b.find(':') != std::string::npos)) return false;
    const char* any = ipv6 ? "::" : "0.0.0.0";
    return a == any || b == any;
}

bool collide(const runtime::PortBinding& held, const runtime::PortBinding& wanted) {
    return wanted.host_port != 0 && held.host_port == wanted.host_port && held.protocol == wanted.protocol &&
           same_address(held.host_ip, wanted.host_ip);
}

bool needed_elsewhere(const Draft& draft, const Slot& own, const ObservedContainer& container) {
    for (const Slot& slot : draft.slots) {
        if (&slot == &own || !slot.wanted || (slot.keep && is_up(*slot.keep))) continue;
        if (slot.name == container.info.name) return true;
        if (!is_up(container)) continue;
        for (const runtime::PortBinding& held : container.info.ports) {
            for (const sources::Port& wanted : slot.wanted->ports) {
                if (collide(held, render_port(*slot.wanted, wanted, slot.number))) return true;
            }
        }
    }
    return false;
}

bool on_new_network(const Draft& draft, const ObservedContainer& container) {
    return std::any_of(container.info.spec.networks.begin(), container.info.spec.networks.end(),
                       [&](const runtime::NetworkAttachment& a) { return draft.new_networks.contains(a.network); });
}

/// The container that stays runs already, and the one that leaves has its ports.
void add_handover(Draft& draft, const Slot& slot, const ObservedContainer& leaving) {
    bool needs_ports =
        slot.keep && is_up(*slot.keep) && slot.keep->info.ports.empty() && !slot.keep->info.spec.ports.empty();
    if (!needs_ports || leaving.info.ports.empty() || on_new_network(draft, *slot.keep)) return;
    draft.add(MovePorts{slot.service, leaving.info.id, slot.keep->info.name},
              "takes over from the container that leaves");
}

/// A container in a place that the target doesn't have.
void add_unwanted(Draft& draft, const Slot& slot, const ObservedContainer& container) {
    if (!draft.history.going_back) {
        if (draft.policy.prune) add_leave(draft, container, slot.reason);
    } else if (release_of(container) > draft.target.release) {
        add_leave(draft, container, "made by the release that is left");
    }
}

}  // namespace

void add_leave(Draft& draft, const ObservedContainer& container, const std::string& reason) {
    const runtime::ContainerInfo& info = container.info;
    if (draft.gone.contains(info.id)) return;
    if (draft.history.going_back) {
        draft.add(RemoveContainer{container.service, info.id}, reason);
    } else if (!container.retired) {
        draft.add(RetireContainer{container.service, info.id, info.id.substr(0, 12) + "_" + info.name}, reason);
    } else if (is_up(container)) {
        draft.add(RetireContainer{container.service, info.id, info.name}, reason);
    }
    draft.gone.insert(info.id);
}

void add_room(Draft& draft) {
    for (auto slot = draft.slots.rbegin(); slot != draft.slots.rend(); ++slot) {  // dependents first
        for (const ObservedContainer* container : slot->leaving) {
            if (!slot->wanted) {
                add_unwanted(draft, *slot, *container);
            } else if (on_new_network(draft, *container) || needed_elsewhere(draft, *slot, *container)) {
                add_handover(draft, *slot, *container);
                add_leave(draft, *container, slot->reason);
            }
        }
        if (slot->keep && is_up(*slot->keep) && on_new_network(draft, *slot->keep)) {
            draft.add(StopContainer{slot->service, slot->keep->info.id}, "one of its networks is made anew");
            draft.halted.emplace(slot->keep->info.id, "one of its networks is made anew");
        }
    }
}

void add_returns(Draft& draft) {
    const std::string reason = "was there before the release that is left";
    for (const Slot& slot : draft.slots) {
        if (slot.wanted) continue;
        for (const ObservedContainer* container : slot.leaving) {
            const runtime::ContainerInfo& info = container->info;
            auto name = draft.history.retired_names.find(info.id);
            if (!container->retired || draft.gone.contains(info.id) || name == draft.history.retired_names.end())
                continue;
            draft.add(RestoreContainer{slot.service, info.id, name->second}, reason);
            if (!is_up(*container)) draft.add(StartContainer{slot.service, slot.number, name->second}, reason);
        }
    }
}

}  // namespace kedge::reconciler
