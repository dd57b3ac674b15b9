#include "reconciler/source_loop.h"

#include "base/error.h"
#include "base/log.h"
#include "reconciler/files.h"
#include "reconciler/labels.h"
#include "runtime/engine.h"

#include <malloc.h>

#include <algorithm>

namespace kedge::reconciler {

namespace {

/// Events of a container after which the machine may be another than the release says.
bool changes_machine(const std::string& action) {
    static const std::set<std::string> kActions = {"die",   "stop",    "destroy", "rename", "create",
                                                   "pause", "unpause", "kill",    "update"};
    return kActions.contains(action);
}

std::string attribute(const runtime::Event& event, const char* key) {
    auto found = event.attributes.find(key);
    return found == event.attributes.end() ? std::string() : found->second;
}

}  // namespace

bool ProjectOwners::claim(const std::string& project, const std::string& source, std::string& owner) {
    std::lock_guard lock(mutex_);
    owner = owners_.emplace(project, source).first->second;
    return owner == source;
}

SourceLoop::SourceLoop(SourceConfig config, const ControllerOptions& options, runtime::Engine& engine,
                       ReleaseStore& store, FigureBook& figures, ProjectOwners& owners)
    : config_(std::move(config)),
      options_(options),
      engine_(engine),
      owners_(owners),
      context_{engine,
               store,
               figures,
               config_,
               options.root + "/sources/" + config_.git.name,
               {},
               [this] { wake(); },
               [this] { trees_changed_ = true; },
               {}} {
    status_.name = config_.git.name;
    status_.url = config_.git.url;
    for (const std::string* ref : {&config_.git.branch, &config_.git.tag, &config_.git.commit, &config_.git.semver}) {
        if (!ref->empty()) status_.ref = *ref;
    }
    std::string owner;
    for (const ProjectRecord& record : store.projects()) {
        if (record.source != config_.git.name || !owners.claim(record.project, record.source, owner)) continue;
        Work& work = works_[record.project];
        work.record = record;
        load_work(context_, work);
        publish_snapshot(work);
    }
}

SourceLoop::~SourceLoop() {
    thread_.request_stop();
    wake();
    if (thread_.joinable()) thread_.join();
    poll_job_.reset();  // its thread wakes this loop, as do those of other jobs
    for (auto& [name, work] : works_) work.job.reset();
    Error stopping(Code::unavailable, "the agent is stopping");
    std::lock_guard lock(mutex_);
    for (auto* list : {&requests_, &posted_}) {
        for (const auto& request : *list) finish(request, {}, stopping);
    }
}

void SourceLoop::start() {
    next_event_ = engine_.events().next();
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

void SourceLoop::run(std::stop_token stop) {
    context_.stop = stop;
    bool recovered = false;  // what was in progress when the agent went down doesn't wait for the repository to answer
    while (!stop.stop_requested()) {
        bool again = true;
        try {
            context_.machine.reset();
            handle_requests();
            finish_poll();
            if (recovered && !poll_job_ && std::chrono::steady_clock::now() >= next_poll_) start_poll();
            again = pass();
            recovered = recovered || !again;
            finish_requests();
            if (!again && !poll_job_ && std::exchange(trees_changed_, false)) {
                keep_trees();
                (void)::malloc_trim(0);  // what the rollout needed goes back to the machine: the next may be days away
            }
        } catch (const std::exception& e) {
            log(LogLevel::error, "source " + config_.git.name + ": " + e.what());
            next_poll_ = std::max(next_poll_, std::chrono::steady_clock::now() + std::chrono::seconds(10));
            again = false;
        }
        sleep(stop, again);
    }
}

/// Every project that has something to do gets one turn.
bool SourceLoop::pass() {
    bool again = false;
    auto now = std::chrono::steady_clock::now();
    for (auto& [name, work] : works_) {
        if (context_.stop.stop_requested()) return false;
        if (!work.poked && work.due > now) continue;
        Turn turn;
        try {
            turn = advance(context_, work);
        } catch (const std::exception& e) {  // whatever it is, the other projects have their turns
            context_.machine.reset();
            work.error = e.what();
            log(LogLevel::error, name + ": " + e.what());
            turn.due = now + backoff(++work.failures);
        }
        work.poked = turn.again;
        work.due = turn.due;
        again = again || turn.again;
        publish_snapshot(work);
    }
    return again;
}

void SourceLoop::sleep(std::stop_token stop, bool again) {
    SteadyTime deadline = poll_job_ ? kNever : next_poll_;
    for (const auto& [name, work] : works_) deadline = std::min(deadline, work.due);
    std::stop_token woken;
    {
        std::lock_guard lock(mutex_);
        if (std::exchange(woken_, false) || again || stop.stop_requested()) {
            deadline = std::chrono::steady_clock::now();  // only takes the events that are there
        }
        sleeper_ = std::stop_source();
        woken = sleeper_.get_token();
    }
    uint64_t missed = 0;
    next_event_ = engine_.events().read(
        next_event_, [this](const runtime::Event& event) { see(event); }, woken, deadline, &missed);
    if (missed == 0) return;
    for (auto& [name, work] : works_) work.poked = work.check = true;
}

void SourceLoop::see(const runtime::Event& event) {
    if (event.type != "container" || event.action.starts_with("exec_")) return;
    auto found = works_.find(attribute(event, kProjectLabel));
    if (found == works_.end()) return;
    found->second.poked = true;
    if (changes_machine(event.action)) found->second.check = true;
}

void SourceLoop::wake() {
    std::lock_guard lock(mutex_);
    woken_ = true;
    sleeper_.request_stop();
}

void SourceLoop::wake_poll() {
    std::lock_guard lock(mutex_);
    poll_wanted_ = woken_ = true;
    sleeper_.request_stop();
}

void SourceLoop::post(std::shared_ptr<Request> request) {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(request));
    woken_ = true;
    sleeper_.request_stop();
}

/// Trees of kept releases and of running containers stay; so do the files of their secrets.
void SourceLoop::keep_trees() {
    std::set<std::string> commits;
    std::vector<Target> targets;
    if (!loaded_commit_.empty()) commits.insert(loaded_commit_);
    for (const auto& [name, work] : works_) {
        for (Target& target : context_.store.kept_targets(name)) {
            if (!target.commit.empty()) commits.insert(target.commit);
            targets.push_back(std::move(target));
        }
    }
    for (const auto& info : context_.look().containers) {
        auto commit = info->spec.labels.find(kCommitLabel);
        if (commit != info->spec.labels.end() && !commit->second.empty()) commits.insert(commit->second);
    }
    if (git_) git_->keep({commits.begin(), commits.end()});
    remove_other_files(context_.files(), targets);
}

SourceStatus SourceLoop::status() const {
    std::lock_guard lock(mutex_);
    return status_;
}

std::vector<SourceLoop::Snapshot> SourceLoop::snapshots() const {
    std::lock_guard lock(mutex_);
    std::vector<Snapshot> result;
    for (const auto& [name, snapshot] : snapshots_) result.push_back(snapshot);
    return result;
}

std::optional<SourceLoop::Snapshot> SourceLoop::snapshot(const std::string& project) const {
    std::lock_guard lock(mutex_);
    auto found = snapshots_.find(project);
    if (found == snapshots_.end()) return {};
    return found->second;
}

void SourceLoop::publish_snapshot(const Work& work) {
    std::lock_guard lock(mutex_);
    Snapshot& snapshot = snapshots_[work.record.project];
    snapshot.desired = work.desired;
    snapshot.quarantine = work.quarantine;
    snapshot.retired = work.retired;
    snapshot.stopped = work.stopped;
    snapshot.drift = work.drift;
    snapshot.record = work.record;
    snapshot.quarantined = is_quarantined(work);
    snapshot.error = work.error;
}

}  // namespace kedge::reconciler
