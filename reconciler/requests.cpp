#include "base/error.h"
#include "reconciler/source_loop.h"

#include <algorithm>

namespace kedge::reconciler {

namespace {

/// Lines that wait for a reader who is slow.
constexpr size_t kProgressLimit = 1000;
constexpr const char* kSyncCause = "sync";

}  // namespace

void SourceLoop::handle_requests() {
    std::vector<std::shared_ptr<Request>> posted;
    {
        std::lock_guard lock(mutex_);
        posted.swap(posted_);
        if (poll_wanted_) next_poll_ = {};
    }
    for (const auto& request : posted) {
        try {
            begin_request(request);
        } catch (const Error& e) {
            finish(request, {}, e);
        } catch (const std::exception& e) {
            finish(request, {}, Error(Code::internal, e.what()));
        }
    }
    // What a thread of ours woke the loop for is found by looking.
    for (auto& [name, work] : works_) {
        if (work.job) work.poked = true;
    }
}

void SourceLoop::begin_request(const std::shared_ptr<Request>& request) {
    auto found = works_.find(request->project);
    if (found == works_.end()) throw Error(Code::not_found, "no such project: " + request->project);
    Work& work = found->second;
    work.poked = true;
    switch (request->kind) {
        case Request::Kind::hold:
            work.record.held = true;
            work.record.hold_reason = request->reason;
            context_.store.put_project(work.record);
            publish(context_, work, "project", "hold", request->reason);
            publish_snapshot(work);  // whoever has the answer sees it in the status
            return finish(request, {}, {});
        case Request::Kind::resume:
            begin_resume(work);
            publish_snapshot(work);
            return finish(request, {}, {});
        case Request::Kind::retry:
            begin_retry(work);
            publish_snapshot(work);
            return finish(request, {}, {});
        case Request::Kind::fetch: next_poll_ = {}; break;
        case Request::Kind::sync:
            next_poll_ = {};
            work.not_before = work.repair_again_at = {};
            work.repairs = 0;
            if (!work.active) work.cause = kSyncCause;
            break;
        case Request::Kind::rollback: begin_rollback(*request, work); break;
    }
    requests_.push_back(request);
    set_listeners(request->project);
}

void SourceLoop::begin_resume(Work& work) {
    work.record.held = false;
    work.record.hold_reason.clear();
    context_.store.put_project(work.record);
    if (work.active && work.active->state == ReleaseState::held)
        work.active->error.clear();  // paused by its failure: judged again
    work.check = true;
    publish(context_, work, "project", "resume", {});
}

void SourceLoop::begin_retry(Work& work) {
    if (!work.desired) throw Error(Code::not_found, "no commit of project " + work.record.project + " was fetched yet");
    context_.store.lift_quarantine(work.record.project, work.desired->commit, work.desired->fingerprint);
    work.quarantine = context_.store.quarantine(work.record.project);
    work.quarantined_meanings = context_.store.quarantined_meanings(work.record.project);
    work.not_before = {};
    bool paused = work.active && work.active->state == ReleaseState::held && !work.active->error.empty();
    if (paused) supersede(context_, work, "tried again");
    if (!work.desired->project) loaded_commit_.clear();  // it could not be loaded: looked at again
    if (!work.active) {
        work.forced = true;
        work.cause = "retry";
    }
    next_poll_ = {};
}

void SourceLoop::begin_rollback(const Request& request, Work& work) {
    const std::string& project = work.record.project;
    if (!work.good) throw Error(Code::not_found, "project " + project + " has no good release");
    if (work.active && work.active->state == ReleaseState::rolling_back) {
        throw Error(Code::conflict, "release " + std::to_string(work.active->number) + " of project " + project +
                                        " is being rolled back");
    }
    std::optional<Release> to;
    if (request.number != 0) {
        to = context_.store.find(project, request.number);
        if (!to)
            throw Error(Code::not_found, "project " + project + " has no release " + std::to_string(request.number));
    } else {
        // With a release in progress, the way back leads to the last good one; else to the one before it.
        for (Release& release : context_.store.history(project)) {
            bool older = work.active ? release.number <= work.good->number : release.number < work.good->number;
            if (release.state != ReleaseState::good || !older || release.target.project.name.empty()) continue;
            if (!work.active && fingerprint(release.target.project) == work.good_fingerprint &&
                release.target.images == work.good->target.images)
                continue;
            to = std::move(release);
            break;
        }
        if (!to) throw Error(Code::not_found, "project " + project + " has no good release before the current one");
    }
    if (to->state != ReleaseState::good) {
        throw Error(Code::conflict, "release " + std::to_string(to->number) + " of project " + project + " is " +
                                        std::string(to_string(to->state)) + ", not good");
    }
    if (to->target.project.name.empty()) {
        throw Error(Code::conflict,
                    "release " + std::to_string(to->number) + " of project " + project + " is no longer kept");
    }
    std::string meaning = fingerprint(to->target.project);
    std::string reason = "left by a rollback to release " + std::to_string(to->number);
    auto leave = [&](const std::string& commit, const std::string& left) {
        if (commit == to->commit) return;
        context_.store.add_quarantine(project, commit, reason, left == meaning ? "" : left);
        work.quarantine[commit] = reason;
        if (left != meaning) work.quarantined_meanings.insert(left);
    };
    if (work.active)
        leave(work.active->commit, fingerprint(work.active->target.project));
    else
        leave(work.good->commit, work.good_fingerprint);
    if (work.desired) leave(work.desired->commit, work.desired->fingerprint);
    if (work.active) supersede(context_, work, reason);
    Release release;
    release.project = project;
    release.commit = to->commit;
    release.ref = to->ref;
    release.subject = to->subject;
    release.cause = "rollback to " + std::to_string(to->number);
    release.target = to->target;
    release.created = wall_now();
    begin_release(context_, work, std::move(release));
}

void SourceLoop::finish_requests() {
    std::vector<std::shared_ptr<Request>> left;
    std::set<std::string> finished;
    for (const auto& request : requests_) {
        const Work& work = works_.at(request->project);
        bool waits = request->kind == Request::Kind::rollback
                         ? is_busy(work)
                         : !request->polled || (request->kind == Request::Kind::sync && is_busy(work));
        if (waits) {
            left.push_back(request);
            continue;
        }
        finished.insert(request->project);
        if (works_.at(request->project).cause == kSyncCause)
            works_.at(request->project).cause = "commit";  // it made no release
        bool fetched = request->kind != Request::Kind::rollback;
        if (fetched && poll_error_)
            finish(request, {}, poll_error_);
        else if (request->kind == Request::Kind::sync && work.desired && !work.desired->project)
            finish(request, {}, Error(Code::invalid_argument, work.desired->error));
        else if (request->kind == Request::Kind::sync && !work.newest)
            finish(request, {},
                   Error(Code::conflict, "project " + request->project + " has no release" +
                                             (work.error.empty() ? "" : ": " + work.error)));
        else
            finish(request, work.newest, {});
    }
    requests_.swap(left);
    for (const std::string& project : finished) set_listeners(project);
}

void SourceLoop::finish(const std::shared_ptr<Request>& request, std::optional<Release> release,
                        std::optional<Error> error) {
    std::lock_guard lock(request->mutex);
    request->done = true;
    request->result = std::move(release);
    request->error = std::move(error);
    request->changed.notify_all();
}

void SourceLoop::set_listeners(const std::string& project) {
    Work& work = works_.at(project);
    work.listeners.clear();
    for (const auto& request : requests_) {
        if (request->project != project) continue;
        if (!request->wants_progress) continue;
        work.listeners.push_back([request](const std::string& line) {
            std::lock_guard lock(request->mutex);
            if (request->progress.size() >= kProgressLimit) {
                request->progress.pop_front();
                ++request->left_out;
            }
            request->progress.push_back(line);
            request->changed.notify_all();
        });
    }
}

}  // namespace kedge::reconciler
