#include "reconciler/controller.h"

#include "base/database.h"
#include "base/error.h"
#include "reconciler/fetch_images.h"
#include "reconciler/project_status.h"
#include "reconciler/render.h"
#include "reconciler/source_loop.h"
#include "runtime/engine.h"
#include "sources/webhook.h"

#include <algorithm>

namespace kedge::reconciler {

struct Controller::State {
    State(ControllerOptions o, runtime::Engine& e, Database& database)
        : options(std::move(o)), engine(e), store(database) {}

    const ControllerOptions options;
    runtime::Engine& engine;
    ReleaseStore store;
    FigureBook figures;
    ProjectOwners owners;
    std::vector<std::unique_ptr<SourceLoop>> loops;  ///< last: their threads use the rest

    SourceLoop& loop_of(const std::string& project, SourceLoop::Snapshot* snapshot = nullptr) const {
        for (const auto& loop : loops) {
            std::optional<SourceLoop::Snapshot> found = loop->snapshot(project);
            if (!found) continue;
            if (snapshot) *snapshot = std::move(*found);
            return *loop;
        }
        throw Error(Code::not_found, "no such project: " + project);
    }

    /// Hands the request to the project's loop and waits for what becomes of it.
    std::optional<Release> ask(Request::Kind kind, const std::string& project,
                               const std::function<void(Request&)>& fill, std::stop_token stop,
                               const std::function<void(const std::string&)>& progress = {}) {
        auto request = std::make_shared<Request>();
        request->kind = kind;
        request->project = project;
        request->wants_progress = progress != nullptr;
        fill(*request);
        loop_of(project).post(request);
        std::unique_lock lock(request->mutex);
        bool something = true;
        while ((something =
                    request->changed.wait(lock, stop, [&] { return request->done || !request->progress.empty(); })) &&
               !request->progress.empty()) {
            std::deque<std::string> lines;
            lines.swap(request->progress);
            if (size_t left_out = std::exchange(request->left_out, 0))
                lines.push_front("… " + std::to_string(left_out) + " lines left out");
            lock.unlock();  // this thread may be held up by its reader for as long as that likes
            for (const std::string& line : lines) progress(line);
            lock.lock();
        }
        if (!something) throw Error(Code::cancelled, "no longer waiting; the release goes on");
        if (request->error) throw *request->error;
        return request->result;
    }
};

Controller::Controller(ControllerOptions options, runtime::Engine& engine, Database& database)
    : state_(std::make_unique<State>(std::move(options), engine, database)) {
    for (const SourceConfig& config : state_->options.sources) {
        state_->loops.push_back(std::make_unique<SourceLoop>(config, state_->options, engine, state_->store,
                                                             state_->figures, state_->owners));
    }
    for (const auto& loop : state_->loops) loop->start();
}

Controller::~Controller() = default;

std::vector<SourceStatus> Controller::sources() const {
    std::vector<SourceStatus> result;
    for (const auto& loop : state_->loops) result.push_back(loop->status());
    return result;
}

std::vector<ProjectStatus> Controller::status() const {
    std::vector<ProjectStatus> result;
    Machine machine = observe_containers(state_->engine);
    for (const auto& loop : state_->loops) {
        for (const SourceLoop::Snapshot& snapshot : loop->snapshots()) {
            result.push_back(project_status(snapshot, state_->store, machine));
        }
    }
    std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.project < b.project; });
    return result;
}

std::set<std::string> Controller::kept_containers() const {
    std::set<std::string> ids;
    for (const auto& loop : state_->loops) {
        for (const SourceLoop::Snapshot& snapshot : loop->snapshots()) {
            for (const auto& [id, name] : snapshot.retired) ids.insert(id);
            ids.insert(snapshot.stopped.begin(), snapshot.stopped.end());
        }
    }
    return ids;
}

ProjectStatus Controller::status(const std::string& project) const {
    SourceLoop::Snapshot snapshot;
    (void)state_->loop_of(project, &snapshot);
    return project_status(snapshot, state_->store, observe_containers(state_->engine));
}

std::vector<Release> Controller::history(const std::string& project) const {
    std::vector<Release> result = state_->store.history(project);
    if (result.empty()) (void)state_->loop_of(project);  // not_found unless it is known
    return result;
}

Release Controller::release(const std::string& project, int64_t number) const {
    std::optional<Release> found = state_->store.find(project, number);
    if (!found) throw Error(Code::not_found, "project " + project + " has no release " + std::to_string(number));
    return *found;
}

Controller::Diff Controller::diff(const std::string& project, bool fetch) {
    if (fetch) (void)state_->ask(Request::Kind::fetch, project, [](Request&) {}, {});
    SourceLoop::Snapshot snapshot;
    const SourceLoop& loop = state_->loop_of(project, &snapshot);
    if (!snapshot.desired) throw Error(Code::unavailable, "no commit of project " + project + " was fetched yet");
    const Desired& desired = *snapshot.desired;
    if (!desired.project) throw Error(Code::invalid_argument, desired.error);
    Diff diff;
    diff.commit = desired.commit;
    diff.subject = desired.subject;
    diff.warnings = desired.project->warnings;
    Target target;
    target.project = *desired.project;
    target.commit = desired.commit;
    target.files = state_->options.root + "/sources/" + loop.config().git.name + "/files";
    for (const auto& [name, service] : target.project.services) {
        // Which image it is that has to be pulled first, nobody knows yet: only its name is compared.
        if (auto id = local_image(state_->engine.images(), service))
            target.images[name] = *id;
        else
            diff.note = "images that are not on this device have to be fetched";
    }
    History history;
    history.retired_names = snapshot.retired;
    history.stopped = snapshot.stopped;
    Observed observed = observe(observe_machine(state_->engine), target, history);
    diff.plan = plan(target, observed, history, loop.config().policy);
    if (snapshot.record.held)
        diff.note = "held" + (snapshot.record.hold_reason.empty() ? "" : ": " + snapshot.record.hold_reason);
    if (snapshot.quarantined) {
        auto reason = snapshot.quarantine.find(desired.commit);
        diff.note =
            "commit is quarantined" +
            (reason == snapshot.quarantine.end() ? ": it means the same as one that failed" : ": " + reason->second);
    }
    return diff;
}

void Controller::wake(const std::string& source) {
    bool found = source.empty();
    for (const auto& loop : state_->loops) {
        if (!source.empty() && loop->config().git.name != source) continue;
        found = true;
        loop->wake_poll();
    }
    if (!found) throw Error(Code::not_found, "no such source: " + source);
}

std::vector<std::string> Controller::wake_for(const std::vector<std::string>& urls) {
    std::vector<std::string> names;
    for (const auto& loop : state_->loops) {
        const sources::GitSettings& git = loop->config().git;
        if (std::none_of(urls.begin(), urls.end(),
                         [&](const std::string& url) { return sources::same_repository(url, git.url); }))
            continue;
        loop->wake_poll();
        names.push_back(git.name);
    }
    return names;
}

Release Controller::sync(const std::string& project, const std::function<void(const std::string&)>& progress,
                         std::stop_token stop) {
    return state_
        ->ask(
            Request::Kind::sync, project, [](Request&) {}, stop, progress)
        .value();
}

Release Controller::rollback(const std::string& project, int64_t number,
                             const std::function<void(const std::string&)>& progress, std::stop_token stop) {
    return state_
        ->ask(
            Request::Kind::rollback, project, [&](Request& request) { request.number = number; }, stop, progress)
        .value();
}

void Controller::hold(const std::string& project, const std::string& reason) {
    (void)state_->ask(Request::Kind::hold, project, [&](Request& request) { request.reason = reason; }, {});
}

void Controller::resume(const std::string& project) {
    (void)state_->ask(Request::Kind::resume, project, [](Request&) {}, {});
}

void Controller::retry(const std::string& project) {
    (void)state_->ask(Request::Kind::retry, project, [](Request&) {}, {});
}

Figures Controller::figures() const {
    return state_->figures.read();
}

}  // namespace kedge::reconciler
