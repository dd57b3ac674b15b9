#include "base/error.h"
#include "base/fault.h"
#include "base/log.h"
#include "reconciler/files.h"
#include "reconciler/work.h"
#include "runtime/engine.h"

namespace kedge::reconciler {

namespace {

void make_plan(Context& context, Work& work) {
    const Target& target = good_target(work);
    write_files(target);
    History history = history_of(work, true);
    work.cursor.emplace();
    work.cursor->plan =
        plan(target, work.good_hashes, observe(context.look(), target, history), history, context.config.policy);
}

Turn finish(Context& context, Work& work) {
    Release& release = *work.active;
    work.cursor.reset();
    work.failures = 0;
    work.soak.reset();
    fault_point("rollback.done.before_commit");
    if (release.quarantined) {
        std::string meaning = fingerprint(release.target.project);
        context.store.add_quarantine(release.project, release.commit, release.error, meaning);
        work.quarantine[release.commit] = release.error;
        work.quarantined_meanings.insert(meaning);
    } else {
        work.not_before = std::chrono::steady_clock::now() + backoff(8);  // the same commit may try again, later
    }
    record(context, work, ReleaseState::rolled_back);
    fault_point("rollback.done.after_commit");
    context.figures.rollback(release.project);
    work.active.reset();
    work.check = true;
    forget_old(context, work);
    return {true, kNever};
}

/// Nothing of the release is on the machine yet.
bool is_untouched(const Work& work) {
    bool not_applied = work.active->state == ReleaseState::pending || work.active->state == ReleaseState::fetching ||
                       work.active->state == ReleaseState::blocked;
    return not_applied && work.retired.empty() && work.stopped.empty();
}

}  // namespace

Turn fail(Context& context, Work& work, const std::string& error, bool quarantine) {
    Release& release = *work.active;
    bool untouched = is_untouched(work);
    release.error = error;
    release.quarantined = quarantine;
    work.cursor.reset();
    work.job.reset();
    work.failures = 0;
    work.not_before = {};
    if (untouched) return finish(context, work);
    fault_point("rollback.before_record");
    record(context, work, ReleaseState::rolling_back);
    fault_point("rollback.after_record");
    return {true, kNever};
}

Turn go_back(Context& context, Work& work) {
    if (std::chrono::steady_clock::now() < work.not_before) return {false, work.not_before};
    try {
        if (!work.cursor) make_plan(context, work);
        Cursor& cursor = *work.cursor;
        if (cursor.next == cursor.plan.steps.size()) return finish(context, work);
        fault_point("rollback.step.before");
        StepResult result = run_step(context, work, cursor, good_target(work));
        fault_point("rollback.step.after");
        // A dependency that is unwell does not keep the rest of the good release away.
        if (result.outcome == StepOutcome::wait_failed) tell(context, work, result.reason);
        if (result.outcome == StepOutcome::waiting) return {false, result.due};
        return {true, kNever};
    } catch (const Error& e) {
        // There is nowhere else to go: tried again for ever.
        context.machine.reset();
        work.cursor.reset();
        work.not_before = std::chrono::steady_clock::now() + backoff(++work.failures);
        work.error = std::string("going back: ") + e.what();
        log(LogLevel::error, work.record.project + ": " + work.error);
        return {false, work.not_before};
    }
}

}  // namespace kedge::reconciler
