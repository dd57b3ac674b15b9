#include "reconciler/plan.h"

#include "reconciler/draft.h"
#include "reconciler/order.h"

namespace kedge::reconciler {

Plan plan(const Target& target, const std::map<std::string, std::string>& hashes, const Observed& observed,
          const History& history, const Policy& policy) {
    Draft draft{target, hashes, observed, history, policy, dependency_order(target.project), {}, {},
                {},     {},     {},       {},      {}};
    draft.slots = match_slots(target, draft.order, hashes, observed);
    find_new_networks(draft);
    add_room(draft);
    add_networks(draft);
    add_volumes(draft);
    for (const std::string& service : draft.order) add_service(draft, service);
    if (history.going_back) {
        add_returns(draft);
        add_network_removals(draft);
    }
    return {std::move(draft.steps)};
}

Plan cleanup(const Target& target, const Observed& observed, const History& history) {
    const Policy policy;
    const std::map<std::string, std::string> none;
    Draft draft{target, none, observed, history, policy, {}, {}, {}, {}, {}, {}, {}, {}};
    for (const ObservedContainer& container : observed.containers) {
        if (!container.retired || !belongs(container, target)) continue;
        draft.add(RemoveContainer{container.service, container.info.id}, "its successor proved good");
        draft.gone.insert(container.info.id);
    }
    add_network_removals(draft);
    return {std::move(draft.steps)};
}

}  // namespace kedge::reconciler
