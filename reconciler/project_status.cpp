#include "reconciler/project_status.h"

#include "reconciler/apply.h"
#include "reconciler/labels.h"
#include "reconciler/slots.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

std::string health_of(const ObservedContainer& container) {
    using Health = runtime::Health::Status;
    const runtime::ContainerInfo& info = container.info;
    if (info.status == runtime::Status::restarting) return "crashed";
    if (info.status == runtime::Status::running || info.status == runtime::Status::paused) {
        if (!is_probed(info)) return "observed";
        if (info.health.status == Health::unhealthy) return "unhealthy";
        return info.health.status == Health::healthy ? "healthy" : "starting";
    }
    if (is_completed(container)) return "completed";
    if (info.stopped_by_hand || info.status == runtime::Status::created) return "stopped";
    return "crashed";
}

bool is_worse(const std::string& a, const std::string& b) {
    static const std::vector<std::string> order = {"",         "completed", "healthy",   "observed",
                                                   "starting", "stopped",   "unhealthy", "crashed"};
    return std::find(order.begin(), order.end(), a) > std::find(order.begin(), order.end(), b);
}

std::vector<ServiceStatus> services_of(const Target& target, const Observed& observed) {
    std::vector<ServiceStatus> result;
    for (const auto& [name, service] : target.project.services) {
        ServiceStatus status;
        status.service = name;
        status.image = service.image;
        status.desired = service.replicas;
        for (const ObservedContainer& container : observed.containers) {
            if (container.service != name || container.retired) continue;
            if (is_up(container)) ++status.running;
            std::string health = health_of(container);
            if (is_worse(health, status.health)) status.health = health;
        }
        if (status.health.empty()) status.health = "stopped";
        result.push_back(std::move(status));
    }
    return result;
}

}  // namespace

ProjectStatus project_status(const SourceLoop::Snapshot& snapshot, const ReleaseStore& store, const Machine& machine) {
    ProjectStatus status;
    status.project = snapshot.record.project;
    status.source = snapshot.record.source;
    status.current = store.newest(status.project);
    status.good = store.last_good(status.project);
    if (snapshot.desired)
        status.commit = snapshot.desired->commit;
    else if (status.current)
        status.commit = status.current->commit;
    status.held = snapshot.record.held;
    status.hold_reason = snapshot.record.hold_reason;
    status.drift = snapshot.drift;
    for (const auto& [commit, reason] : snapshot.quarantine) status.quarantined.push_back(commit);
    if (snapshot.desired && snapshot.desired->project) status.warnings = snapshot.desired->project->warnings;
    status.error = snapshot.error;

    bool in_progress = status.current && (status.current->state == ReleaseState::applying ||
                                          status.current->state == ReleaseState::soaking);
    const std::optional<Release>& shown = in_progress || !status.good ? status.current : status.good;
    if (!shown) return status;
    History history;
    history.retired_names = snapshot.retired;
    status.services = services_of(shown->target, observe(machine, shown->target, history));
    return status;
}

}  // namespace kedge::reconciler
