#include "base/error.h"
#include "base/log.h"
#include "reconciler/files.h"
#include "reconciler/work.h"
#include "runtime/engine.h"

namespace kedge::reconciler {

namespace {

constexpr int kQuickRepairs = 10;
constexpr auto kCalm = std::chrono::minutes(10);

/// Somebody who undoes every repair at once would keep both of them busy for ever: after some, they come at ever longer
/// intervals.
void note_repair(Work& work) {
    auto now = std::chrono::steady_clock::now();
    if (now - work.last_repair > kCalm) work.repairs = 0;
    work.last_repair = now;
    work.repair_again_at = now + std::chrono::minutes(1);
    if (++work.repairs < kQuickRepairs) return;
    work.repair_again_at = now + backoff(7 + work.repairs - kQuickRepairs);
    log(LogLevel::warning,
        work.record.project + ": drift was reverted " + std::to_string(work.repairs) +
            " times in a row; somebody else seems to change the same things, so it is done less often from now on");
}

bool may_repair(const Work& work, bool is_new) {
    auto now = std::chrono::steady_clock::now();
    bool quick = is_new && (work.repairs < kQuickRepairs || now - work.last_repair > kCalm);
    return quick || now >= work.repair_again_at;
}

}  // namespace

Turn clean_up(Context& context, Work& work) {
    if (std::chrono::steady_clock::now() < work.clean_up_at) return {false, work.clean_up_at};
    const Target& target = good_target(work);
    History history = history_of(work, false);
    Cursor cursor;
    cursor.plan = cleanup(target, observe(context.look(), target, history), history);
    try {
        while (cursor.next < cursor.plan.steps.size()) (void)run_step(context, work, cursor, target);
        context.store.clear_retired(work.record.project);
        work.retired.clear();
        work.stopped.clear();
        work.failures = 0;
        int64_t freed = context.engine.images().collect();
        if (freed > 0)
            tell(context, work, "freed " + std::to_string(freed >> 20) + " MiB of images that no kept release needs");
        return {true, kNever};
    } catch (const Error& e) {
        context.machine.reset();
        work.error = std::string("cleaning up: ") + e.what();
        log(LogLevel::warning, work.record.project + ": " + work.error);
        work.clean_up_at = std::chrono::steady_clock::now() + backoff(++work.failures);
        return {false, work.clean_up_at};
    }
}

Turn compare(Context& context, Work& work) {
    work.check = false;
    if (!work.good) return {};
    const Target& target = good_target(work);
    History history = history_of(work, false);
    history.repairing = !std::exchange(work.first_look, false);
    Policy policy = context.config.policy;
    policy.drift = Policy::Drift::revert;  // to see it; whether it is reverted is decided below
    std::vector<std::string> lines;
    Plan found;
    try {
        found = plan(target, work.good_hashes, observe(context.look(), target, history), history, policy);
        for (const Step& step : found.steps) {
            if (!std::holds_alternative<WaitFor>(step.action))
                lines.push_back(describe(step.action) + ": " + step.reason);
        }
        if (work.drift.empty() || !lines.empty()) work.error.clear();
    } catch (const Error& e) {
        work.error = e.what();
        return {};
    }
    bool is_new = lines != work.drift;
    work.drift = lines;
    if (lines.empty()) return {};
    if (is_new) {
        context.figures.drift(work.record.project);
        for (const std::string& line : lines) log(LogLevel::warning, work.record.project + ": drift: " + line);
        publish(context, work, "project", "drift", lines.front());
    }
    if (context.config.policy.drift == Policy::Drift::report || work.record.held) return {};
    if (!may_repair(work, is_new)) {
        work.check = true;
        return {false, work.repair_again_at};
    }
    note_repair(work);
    work.repair.emplace();
    work.repair->plan = std::move(found);
    return {true, kNever};
}

Turn repair(Context& context, Work& work) {
    Cursor& cursor = *work.repair;
    try {
        const Target& target = good_target(work);
        if (cursor.next == 0 && cursor.wait_until == kNever) write_files(target);
        if (cursor.next == cursor.plan.steps.size()) {
            work.repair.reset();
            work.check = true;  // finds nothing, and says so
            publish(context, work, "project", "repaired", {});
            return {true, kNever};
        }
        StepResult result = run_step(context, work, cursor, target);
        if (result.outcome == StepOutcome::waiting) return {false, result.due};
        if (result.outcome == StepOutcome::wait_failed) throw Error(Code::conflict, result.reason);
        return {true, kNever};
    } catch (const Error& e) {
        context.machine.reset();
        work.repair.reset();  // the next poll looks again
        work.error = std::string("reverting drift: ") + e.what();
        log(LogLevel::error, work.record.project + ": " + work.error);
        return {};
    }
}

}  // namespace kedge::reconciler
