#include "base/error.h"
#include "base/fault.h"
#include "health/health.h"
#include "reconciler/files.h"
#include "reconciler/slots.h"
#include "reconciler/work.h"
#include "runtime/engine.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

Nanoseconds monitor_of(const sources::Service& service, const Policy& policy) {
    return service.update_config.monitor.count() > 0 ? service.update_config.monitor : policy.monitor;
}

bool was_unwell(const runtime::ContainerInfo& info) {
    return info.status == runtime::Status::restarting || info.health.status == runtime::Health::Status::unhealthy;
}

void begin_soak(Work& work, const Observed& observed, SteadyTime now) {
    work.soak.emplace();
    for (const ObservedContainer& container : observed.containers) {
        // A container of before that is unwell already says nothing about this release.
        bool made_now = release_of(container) == work.active->number;
        if (container.retired || (!made_now && was_unwell(container.info))) continue;
        // What a new container did since it was started counts, unless the agent was away: then it may have ended with
        // the machine.
        bool counts = made_now && work.resumed != work.active->number;
        work.soak->watch(container.info, counts ? 0 : container.info.restart_count, now);
    }
}

struct Verdict {
    std::map<std::string, std::string> by_service;
    std::map<std::string, int> failed, total;
    std::map<std::string, std::string> reasons;
    bool decided = true;
    SteadyTime due = kNever;  ///< the next end of a monitor time
};

bool is_worse(const std::string& a, const std::string& b) {
    static const std::vector<std::string> order = {"completed", "healthy",   "observed",
                                                   "waiting",   "unhealthy", "crashed"};
    return std::find(order.begin(), order.end(), a) > std::find(order.begin(), order.end(), b);
}

Verdict judge_all(const Context& context, Work& work, const Observed& observed, SteadyTime now) {
    Verdict verdict;
    for (const ObservedContainer& container : observed.containers) {
        auto service = work.active->target.project.services.find(container.service);
        if (container.retired || !work.soak->watches(container.info.id) ||
            service == work.active->target.project.services.end())
            continue;
        auto [one, due] = work.soak->judge(container.info, monitor_of(service->second, context.config.policy), now);
        std::string state(health::to_string(one.state));
        std::string& worst = verdict.by_service[container.service];
        if (worst.empty() || is_worse(state, worst)) worst = state;
        ++verdict.total[container.service];
        if (one.state == health::State::waiting) verdict.decided = false;
        if (one.state == health::State::waiting && due > now) verdict.due = std::min(verdict.due, due);
        if (one.state != health::State::unhealthy && one.state != health::State::crashed) continue;
        ++verdict.failed[container.service];
        verdict.reasons.emplace(container.service, container.info.name + " " + one.reason);
    }
    return verdict;
}

/// The service whose failure ends the release, if there is one.
const std::string* failing_service(const Work& work, const Verdict& verdict) {
    for (const auto& [service, failed] : verdict.failed) {
        const sources::UpdateConfig& config = work.active->target.project.services.at(service).update_config;
        if (config.failure_action == "continue") continue;
        if (failed > config.max_failure_ratio * verdict.total.at(service)) return &service;
    }
    return nullptr;
}

Turn good(Context& context, Work& work, const Verdict& verdict) {
    Release& release = *work.active;
    release.verdicts = verdict.by_service;
    release.error.clear();
    fault_point("release.good.before_commit");
    record(context, work, ReleaseState::good);
    fault_point("release.good.after_commit");
    work.good = release;
    work.good_fingerprint = fingerprint(release.target.project);
    work.good_hashes = std::move(work.hashes);
    work.active.reset();
    work.soak.reset();
    work.error.clear();
    work.drift.clear();
    work.check = true;
    if (work.gone && release.target.project.services.empty()) {
        work.record.removed = true;
        context.store.put_project(work.record);
        publish(context, work, "project", "removed", {});
    }
    forget_old(context, work);
    return {true, kNever};
}

Turn pause(Context& context, Work& work, const std::string& error) {
    work.active->error = "paused: " + error;
    record(context, work, ReleaseState::held);
    return {};
}

}  // namespace

Turn soak(Context& context, Work& work) {
    const Target& target = work.active->target;
    Observed observed = observe(context.look(), target, history_of(work, false));
    SteadyTime now = std::chrono::steady_clock::now();
    if (!work.soak) begin_soak(work, observed, now);
    for (const auto& [id, watched] : work.soak->watched()) {
        bool there = std::any_of(observed.containers.begin(), observed.containers.end(),
                                 [&wanted = id](const auto& c) { return c.info.id == wanted; });
        if (there) continue;
        work.soak.reset();  // removed by hand meanwhile: it is made again, and judged again
        record(context, work, ReleaseState::applying);
        return {true, kNever};
    }
    Verdict verdict = judge_all(context, work, observed, now);
    if (const std::string* service = failing_service(work, verdict)) {
        work.active->verdicts = verdict.by_service;
        std::string error = "services." + *service + ": " + verdict.reasons.at(*service);
        if (target.project.services.at(*service).update_config.failure_action == "pause")
            return pause(context, work, error);
        return fail(context, work, error);
    }
    if (verdict.decided) return good(context, work, verdict);
    // Health and exits wake the loop by their events; the end of the monitor time has none.
    return {false, verdict.due};
}

}  // namespace kedge::reconciler
