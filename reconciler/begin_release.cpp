#include "base/error.h"
#include "base/fault.h"
#include "reconciler/render.h"
#include "reconciler/work.h"

namespace kedge::reconciler {

bool is_quarantined(const Work& work) {
    if (!work.desired) return false;
    return work.quarantine.contains(work.desired->commit) ||
           work.quarantined_meanings.contains(work.desired->fingerprint);
}

bool wants_release(const Work& work) {
    if (work.active || !work.desired || !work.desired->project) return false;
    if (is_quarantined(work) || std::chrono::steady_clock::now() < work.not_before) return false;
    if (work.forced) return true;
    if (work.newest && work.newest->state == ReleaseState::superseded) return true;  // what it left is on the machine
    if (!work.good) return !work.gone;
    return work.good_fingerprint != work.desired->fingerprint;
}

Turn begin_release(Context& context, Work& work) {
    Release release;
    release.project = work.record.project;
    release.state = ReleaseState::pending;
    release.commit = work.desired->commit;
    release.ref = work.desired->ref;
    release.subject = work.desired->subject;
    release.cause = std::exchange(work.cause, "commit");
    release.created = wall_now();
    release.target.project = *work.desired->project;
    release.target.commit = release.commit;
    release.target.files = context.files();
    return begin_release(context, work, std::move(release));
}

Turn begin_release(Context& context, Work& work, Release release) {
    work.forced = false;
    fault_point("release.before_record");
    context.store.add(release);
    fault_point("release.after_record");
    work.active = work.newest = release;
    work.hashes.clear();
    work.cursor.reset();
    work.job.reset();
    work.soak.reset();
    work.repair.reset();
    work.failures = 0;
    work.not_before = {};
    work.error.clear();
    if (work.record.removed && !work.gone) {
        work.record.removed = false;
        context.store.put_project(work.record);
    }
    publish(context, work, "release", "pending", {});
    tell(context, work, "release " + std::to_string(release.number) + " of commit " + release.commit.substr(0, 12));
    return {true, kNever};
}

void supersede(Context& context, Work& work, const std::string& reason) {
    work.job.reset();
    work.cursor.reset();
    work.active->error = reason;
    record(context, work, ReleaseState::superseded);
    work.active.reset();
}

void refuse_commit(Context& context, Work& work) {
    const Desired& desired = *work.desired;
    work.error = desired.error;
    if (desired.project || work.quarantine.contains(desired.commit)) return;
    Release release;
    release.project = work.record.project;
    release.state = ReleaseState::rolled_back;
    release.commit = desired.commit;
    release.ref = desired.ref;
    release.subject = desired.subject;
    release.cause = "commit";
    release.error = desired.error;
    release.quarantined = true;
    release.created = release.finished = wall_now();
    release.target.project.name = release.project;
    context.store.add_quarantine(release.project, release.commit, release.error, {});
    work.quarantine[release.commit] = release.error;
    context.store.add(release);
    if (!work.active && !(work.newest && work.newest->state == ReleaseState::superseded)) work.newest = release;
    publish(context, work, "release", "rolled_back", release.error);
    tell(context, work, "commit " + release.commit.substr(0, 12) + " is refused: " + release.error);
}

}  // namespace kedge::reconciler
