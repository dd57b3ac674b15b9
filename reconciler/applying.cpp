#include "base/error.h"
#include "base/fault.h"
#include "reconciler/files.h"
#include "reconciler/render.h"
#include "reconciler/work.h"
#include "runtime/engine.h"

namespace kedge::reconciler {

namespace {

constexpr int kTries = 5;

void make_plan(Context& context, Work& work) {
    const Target& target = work.active->target;
    write_files(target);
    if (work.hashes.empty()) work.hashes = config_hashes(target);
    History history = history_of(work, false);
    work.cursor.emplace();
    work.cursor->plan =
        plan(target, work.hashes, observe(context.look(), target, history), history, context.config.policy);
}

Turn applied(Context& context, Work& work) {
    work.cursor.reset();
    work.soak.reset();
    work.failures = 0;
    work.active->applied = wall_now();
    record(context, work, ReleaseState::soaking);
    fault_point("release.soaking.after_commit");
    return {true, kNever};
}

/// A container that does not become ready fails the release as its service says; one that others depend on always does.
Turn wait_failed(Context& context, Work& work, const std::string& reason) {
    const auto& wait = std::get<WaitFor>(work.cursor->plan.steps[work.cursor->next - 1].action);
    const std::string& action = work.active->target.project.services.at(wait.service).update_config.failure_action;
    if (wait.condition == "ready" && action == "continue") {
        tell(context, work, reason);
        return {true, kNever};
    }
    if (wait.condition == "ready" && action == "pause") {
        work.cursor.reset();
        work.active->error = "paused: " + reason;
        record(context, work, ReleaseState::held);
        return {};
    }
    return fail(context, work, reason);
}

}  // namespace

Turn apply(Context& context, Work& work) {
    if (std::chrono::steady_clock::now() < work.not_before) return {false, work.not_before};
    try {
        if (!work.cursor) make_plan(context, work);
        Cursor& cursor = *work.cursor;
        if (cursor.next == cursor.plan.steps.size()) return applied(context, work);
        fault_point("apply.step.before");
        StepResult result = run_step(context, work, cursor, work.active->target);
        fault_point("apply.step.after");
        if (result.outcome == StepOutcome::wait_failed) return wait_failed(context, work, result.reason);
        if (result.outcome == StepOutcome::waiting) return {false, result.due};
        work.failures = 0;
        return {true, kNever};
    } catch (const Error& e) {
        context.machine.reset();
        work.cursor.reset();  // planned again from what is there
        if (e.transient() && ++work.failures <= kTries) {
            work.not_before = std::chrono::steady_clock::now() + backoff(work.failures);
            work.active->error = e.what();
            record(context, work, ReleaseState::applying);
            return {false, work.not_before};
        }
        return fail(context, work, e.what(), !e.transient());
    }
}

}  // namespace kedge::reconciler
