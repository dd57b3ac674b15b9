#include "reconciler/draft.h"
#include "reconciler/render.h"
#include "reconciler/render_parts.h"

#include <algorithm>

namespace kedge::reconciler {

using runtime::Status;

namespace {

const sources::UpdateConfig& rollout(const Draft& draft, const sources::Service& service) {
    return draft.history.going_back ? service.rollback_config : service.update_config;
}

bool has_probe(const Slot& slot) {
    const sources::Service& service = *slot.wanted;
    if (service.probe) return true;
    if (service.healthcheck && service.healthcheck->disable) return false;
    if (service.healthcheck && !service.healthcheck->test.empty()) return true;
    return !slot.leaving.empty() && slot.leaving.front()->info.healthcheck.has_value();  // the image's, most likely
}

/// Why a container that stays has to be started; empty: it hasn't.
std::string why_start(const Draft& draft, const ObservedContainer& c) {
    if (auto halted = draft.halted.find(c.info.id); halted != draft.halted.end()) return halted->second;
    if (is_up(c)) return {};
    bool stopped_by_kedge =
        c.retired || draft.history.stopped.contains(c.info.id) || draft.history.retired_names.contains(c.info.id);
    if (stopped_by_kedge) return "was stopped for the release";
    if (c.info.status == Status::created) return "was not started yet";
    if (is_completed(c)) return {};
    if (c.info.stopped_by_hand) {
        bool leave = draft.policy.drift == Policy::Drift::report && !draft.history.going_back;
        return leave ? "" : "was stopped by hand";
    }
    // Whether it runs again is its restart policy's to say, unless it could not even be started.
    if (draft.history.repairing && c.info.error.empty()) return {};
    return "exited with code " + std::to_string(c.info.exit_code);
}

constexpr const char* kLacksPorts = "its ports are not published";

bool lacks_its_ports(const runtime::ContainerInfo& info) {
    return info.spec.network_mode.empty() && !info.spec.ports.empty() && info.status == Status::running &&
           info.ports.empty();
}

bool publishes(const runtime::ContainerInfo& info) {
    return info.status == Status::running && !info.ports.empty();
}

bool start_first_possible(const Draft& draft, const Slot& slot, const ObservedContainer& old) {
    const sources::Service& service = *slot.wanted;
    if (rollout(draft, service).order != "start-first" || !service.container_name.empty()) return false;
    if (!service.network_mode.empty() || old.info.status != Status::running) return false;
    auto fixed = [](const sources::NetworkUse& use) {
        return !use.ipv4_address.empty() || !use.ipv6_address.empty() || !use.mac_address.empty();
    };
    if (std::any_of(service.networks.begin(), service.networks.end(), fixed)) return false;
    if (service.ports.empty()) return true;
    auto hash = draft.hashes.find(slot.service);
    return render(draft.target, service, slot.number, hash == draft.hashes.end() ? "" : hash->second).ports ==
           old.info.spec.ports;
}

bool reverts_drift(const Draft& draft) {
    return draft.policy.drift == Policy::Drift::revert || draft.history.going_back;
}

/// A container that stays has the limits and the restart policy that its service says, whoever changed them.
void add_update_if_needed(Draft& draft, const Slot& slot) {
    if (!slot.keep || !reverts_drift(draft)) return;
    const runtime::ContainerSpec& spec = slot.keep->info.spec;
    const runtime::Resources limits = render_limits(*slot.wanted);
    const runtime::RestartPolicy restart = render_restart(*slot.wanted);
    if (spec.resources == limits && spec.restart == restart) return;
    draft.add(UpdateContainer{slot.service, slot.keep->info.id, limits, restart},
              std::string(spec.restart == restart ? "its limits were" : "its restart policy was") + " changed by hand");
}

bool stays_up(const Draft& draft, const Slot& slot) {
    return slot.keep && is_up(*slot.keep) && !draft.halted.contains(slot.keep->info.id);
}

/// Makes the slot's container be there under its name and run.
void add_arrival(Draft& draft, const Slot& slot, bool publish_ports) {
    if (!slot.keep) {
        auto hash = draft.hashes.find(slot.service);
        draft.add(CreateContainer{slot.service, slot.number,
                                  render(draft.target, *slot.wanted, slot.number,
                                         hash == draft.hashes.end() ? "" : hash->second)},
                  slot.reason);
        draft.add(StartContainer{slot.service, slot.number, slot.name, publish_ports}, slot.reason);
        draft.renewed.insert(slot.service);
        return;
    }
    const ObservedContainer& keep = *slot.keep;
    if (keep.info.name != slot.name) {
        draft.add(RestoreContainer{slot.service, keep.info.id, slot.name},
                  keep.retired ? "fits the target again" : "was renamed to " + keep.info.name);
        if (keep.retired) draft.renewed.insert(slot.service);
    }
    if (std::string reason = why_start(draft, keep); !reason.empty()) {
        draft.add(StartContainer{slot.service, slot.number, slot.name, publish_ports}, reason);
    }
}

/// The successor runs before the old one stops.
void add_overlap(Draft& draft, const Slot& slot, const std::vector<const ObservedContainer*>& leaving,
                 const ObservedContainer& old) {
    bool keep_is_up = stays_up(draft, slot);
    bool move = publishes(old.info) && !slot.wanted->ports.empty() && (!keep_is_up || slot.keep->info.ports.empty());
    for (const ObservedContainer* c : leaving) {
        if (c->retired) continue;
        draft.add(RetireContainer{slot.service, c->info.id, c->info.id.substr(0, 12) + "_" + c->info.name, false},
                  slot.reason);
    }
    add_arrival(draft, slot, !move);
    bool is_healthy = keep_is_up && slot.keep->info.health.status == runtime::Health::Status::healthy;
    if (!is_healthy) draft.add(WaitFor{slot.service, "ready", slot.number}, "takes over from the container that runs");
    if (move) draft.add(MovePorts{slot.service, old.info.id, slot.name}, "takes over from the container that runs");
    for (const ObservedContainer* c : leaving) {
        if (draft.history.going_back) {
            draft.add(RemoveContainer{slot.service, c->info.id}, slot.reason);
        } else {
            std::string name = c->retired ? c->info.name : c->info.id.substr(0, 12) + "_" + c->info.name;
            draft.add(RetireContainer{slot.service, c->info.id, name}, slot.reason);
        }
        draft.gone.insert(c->info.id);
    }
}

void add_restart(Draft& draft, const Slot& slot, const std::string& reason) {
    draft.add(StopContainer{slot.service, slot.keep->info.id}, reason);
    draft.add(StartContainer{slot.service, slot.number, slot.name}, reason);
}

/// A container that stays and runs may have to be stopped and started all the same.
void add_restart_if_needed(Draft& draft, const Slot& slot) {
    if (!stays_up(draft, slot)) return;
    const runtime::ContainerInfo& info = slot.keep->info;
    for (const sources::Dependency& dependency : slot.wanted->depends_on) {
        if (!dependency.restart || !draft.renewed.contains(dependency.service)) continue;
        return add_restart(draft, slot, dependency.service + " was replaced");
    }
    if (info.status == Status::paused && reverts_drift(draft))
        draft.add(ResumeContainer{slot.service, info.id}, "was paused by hand");
    // Its predecessor died before it could hand over its ports.
    bool in_handover = !draft.history.retired_names.empty() && release_of(*slot.keep) == draft.target.release;
    if (in_handover && lacks_its_ports(info)) add_restart(draft, slot, kLacksPorts);
}

/// One that had handed over its ports runs on, and who got them doesn't. It is stopped before it gets its name back:
/// who looks then sees that it has to be started.
void halt_without_ports(Draft& draft, const Slot& slot, const ObservedContainer* old) {
    if (!stays_up(draft, slot) || !slot.keep->retired || !lacks_its_ports(slot.keep->info)) return;
    if (old && publishes(old->info)) return;  // it hands them back
    draft.add(StopContainer{slot.service, slot.keep->info.id}, kLacksPorts);
    draft.halted.emplace(slot.keep->info.id, kLacksPorts);
}

/// Whether the slot's container was replaced, so that it counts for the parallelism.
bool add_slot(Draft& draft, const Slot& slot) {
    std::vector<const ObservedContainer*> leaving;
    const ObservedContainer* old = nullptr;
    for (const ObservedContainer* c : slot.leaving) {
        if (draft.gone.contains(c->info.id)) continue;
        leaving.push_back(c);
        if (is_up(*c) && (!old || publishes(c->info))) old = c;
    }
    add_update_if_needed(draft, slot);
    halt_without_ports(draft, slot, old);
    if (old && (stays_up(draft, slot) || start_first_possible(draft, slot, *old))) {
        add_overlap(draft, slot, leaving, *old);
        return true;
    }
    for (const ObservedContainer* c : leaving) add_leave(draft, *c, slot.reason);
    const size_t before = draft.steps.size();
    add_arrival(draft, slot, true);
    if (draft.steps.size() == before) add_restart_if_needed(draft, slot);
    return !leaving.empty();
}

bool is_satisfied(const Draft& draft, const sources::Dependency& dependency) {
    if (draft.touched.contains(dependency.service)) return false;
    bool completed = dependency.condition == "service_completed_successfully";
    return std::all_of(draft.slots.begin(), draft.slots.end(), [&](const Slot& slot) {
        if (slot.service != dependency.service || !slot.wanted) return true;
        if (!slot.keep) return false;
        if (completed) return is_completed(*slot.keep);
        return slot.keep->info.status == Status::running &&
               slot.keep->info.health.status == runtime::Health::Status::healthy;
    });
}

void add_waits(Draft& draft, const sources::Service& service, std::vector<Step>& steps) {
    for (const sources::Dependency& dependency : service.depends_on) {
        if (dependency.condition == "service_started" || !draft.target.project.services.contains(dependency.service))
            continue;
        if (is_satisfied(draft, dependency)) continue;
        WaitFor wait{dependency.service, dependency.condition, 0, Nanoseconds{0}, dependency.required};
        bool planned = std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
            auto* other = std::get_if<WaitFor>(&step.action);
            return other && other->service == wait.service && other->condition == wait.condition &&
                   other->number == 0 && (other->required || !wait.required);
        });
        if (!planned) steps.push_back({wait, service.name + " depends on it"});
    }
}

/// Between two batches of a rolling update.
void add_batch_end(Draft& draft, const std::vector<const Slot*>& batch) {
    const sources::UpdateConfig& config = rollout(draft, *batch.front()->wanted);
    for (const Slot* slot : batch) {
        Nanoseconds delay = slot == batch.back() ? config.delay : Nanoseconds{0};
        auto waited = [&](const Step& step) {
            auto* wait = std::get_if<WaitFor>(&step.action);
            return wait && wait->service == slot->service && wait->number == slot->number && wait->delay == delay;
        };
        if (std::any_of(draft.steps.begin(), draft.steps.end(), waited)) continue;
        if (!has_probe(*slot) && delay.count() == 0) continue;
        draft.add(WaitFor{slot->service, "ready", slot->number, delay},
                  "before the next containers of the service are replaced");
    }
}

}  // namespace

void add_service(Draft& draft, const std::string& service) {
    std::vector<Step> before = std::exchange(draft.steps, {});
    std::vector<const Slot*> batch;
    for (const Slot& slot : draft.slots) {
        if (slot.service != service || !slot.wanted) continue;
        size_t parallelism = static_cast<size_t>(std::max(0, rollout(draft, *slot.wanted).parallelism));
        bool more = slot.leaving.empty() ? false : std::any_of(slot.leaving.begin(), slot.leaving.end(), [&](auto* c) {
            return !draft.gone.contains(c->info.id);
        });
        if (more && parallelism > 0 && batch.size() >= parallelism) {
            add_batch_end(draft, batch);
            batch.clear();
        }
        if (add_slot(draft, slot)) batch.push_back(&slot);
    }
    std::vector<Step> own = std::exchange(draft.steps, std::move(before));
    if (own.empty()) return;
    add_waits(draft, draft.target.project.services.at(service), draft.steps);
    draft.touched.insert(service);
    draft.steps.insert(draft.steps.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
}

}  // namespace kedge::reconciler
