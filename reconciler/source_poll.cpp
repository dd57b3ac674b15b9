#include "base/error.h"
#include "base/log.h"
#include "reconciler/source_loop.h"

#include <algorithm>
#include <random>

namespace kedge::reconciler {

namespace {

Nanoseconds with_jitter(Nanoseconds interval, double jitter) {
    static thread_local std::mt19937 random{std::random_device{}()};
    std::uniform_real_distribution<double> factor(1 - jitter, 1 + jitter);
    return Nanoseconds(static_cast<int64_t>(static_cast<double>(interval.count()) * factor(random)));
}

/// Those of the commit before were said when it came.
void log_warnings(const Work& work, const LoadedProject& loaded) {
    if (!loaded.project) return;
    static const std::vector<std::string> none;
    const auto& said = work.desired && work.desired->project ? work.desired->project->warnings : none;
    for (const std::string& warning : loaded.project->warnings) {
        if (std::find(said.begin(), said.end(), warning) == said.end())
            log(LogLevel::warning, loaded.name + ": " + warning);
    }
}

/// Runs on a thread of its own: what a repository does to its answers must not hold up the loop.
Polled look(sources::GitSource& git, const std::string& loaded, const std::stop_token& stop) {
    Polled polled;
    try {
        polled.commit = git.fetch(stop);
    } catch (const Error& e) {
        polled.error = e;
        if (loaded.empty()) polled.commit = git.last();  // what was fetched before the agent's start
    }
    if (!polled.commit || polled.commit->id == loaded) return polled;
    try {
        polled.tree = git.checkout(polled.commit->id, stop);
    } catch (const Error& e) {
        bool in_the_way = e.transient() || e.code() == Code::cancelled;
        (in_the_way ? polled.error : polled.refusal) = e;
    }
    return polled;
}

Polled result_of(PollJob& job) {
    try {
        return job.result.get();
    } catch (const Error& e) {
        return {{}, {}, e, {}};
    } catch (const std::exception& e) {
        return {{}, {}, Error(Code::internal, e.what()), {}};
    }
}

}  // namespace

void SourceLoop::start_poll() {
    {
        std::lock_guard lock(mutex_);
        poll_wanted_ = false;
        status_.polling = true;
        status_.last_poll = wall_now();
    }
    for (const auto& request : requests_) request->asked = true;
    next_poll_ = kNever;  // whoever asks from now on means another look
    std::promise<Polled> promise;
    poll_job_.emplace();
    poll_job_->result = promise.get_future();
    // Until the job is over, git_ is its thread's.
    poll_job_->thread =
        std::jthread([this, loaded = loaded_commit_, promise = std::move(promise)](std::stop_token stop) mutable {
            try {
                if (!git_) git_ = std::make_unique<sources::GitSource>(config_.git, context_.folder);
                promise.set_value(look(*git_, loaded, stop));
            } catch (...) {
                promise.set_exception(std::current_exception());
            }
            wake();
        });
}

void SourceLoop::finish_poll() {
    if (!poll_job_ || poll_job_->result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    Polled polled = result_of(*poll_job_);
    poll_job_.reset();
    const std::optional<sources::Commit>& commit = polled.commit;
    if (!polled.tree.empty()) {
        load_error_.reset();
        try {
            load(*commit, polled.tree);
        } catch (const Error& e) {
            (e.transient() ? polled.error : polled.refusal) = e;
        } catch (const std::exception& e) {
            polled.refusal = Error(Code::internal, e.what());
        }
    }
    if (polled.refusal) {  // this commit won't get better: not looked at again
        load_error_ = polled.refusal;
        loaded_commit_ = commit->id;
    }
    note_poll(polled);
}

void SourceLoop::note_poll(const Polled& polled) {
    bool in_the_way = polled.error.has_value();
    poll_error_ = in_the_way ? polled.error : load_error_;
    for (const auto& request : requests_) request->polled = request->asked;
    for (auto& [name, work] : works_) work.poked = work.check = true;
    bool failed = poll_error_.has_value();
    poll_failures_ = in_the_way ? poll_failures_ + 1 : 0;
    Nanoseconds wait = with_jitter(config_.poll, config_.jitter);
    if (in_the_way) wait = std::min<Nanoseconds>(wait, backoff(poll_failures_));
    next_poll_ = std::min(next_poll_, std::chrono::steady_clock::now() + wait);
    context_.figures.sync(config_.git.name, failed ? "failure" : "success");
    if (failed) log(LogLevel::warning, "source " + config_.git.name + ": " + poll_error_->what());
    std::lock_guard lock(mutex_);
    status_.polling = false;
    status_.next_poll = wall_now() + wait;
    if (!failed) status_.last_success = wall_now();
    status_.error = failed ? poll_error_->what() : "";
    if (polled.commit) status_.commit = polled.commit;
}

void SourceLoop::load(const sources::Commit& commit, const std::string& tree) {
    LoadInput input;
    input.tree = tree;
    input.repository = repository_name(config_.git.url);
    input.source_folder = context_.folder;
    input.device = options_.device;
    input.labels = options_.labels;
    input.profiles = config_.profiles;
    for (const auto& [name, work] : works_) {
        if (!work.record.removed) input.known.push_back(name);
    }
    take(commit, load_projects(input));
    loaded_commit_ = commit.id;
    trees_changed_ = true;
}

void SourceLoop::take(const sources::Commit& commit, const std::vector<LoadedProject>& loaded) {
    Desired common;
    common.commit = commit.id;
    common.ref = commit.ref;
    common.subject = commit.subject;
    std::set<std::string> there;
    for (const LoadedProject& project : loaded) {
        std::string owner;
        if (!owners_.claim(project.name, config_.git.name, owner)) {
            load_error_ = Error(Code::conflict, "project " + project.name + " belongs to source " + owner + " already");
            continue;
        }
        there.insert(project.name);
        Work& work = work_of(project.name);
        log_warnings(work, project);
        work.gone = false;
        work.desired = common;
        work.desired->project = project.project;
        work.desired->error = project.error;
        if (project.project)
            work.desired->fingerprint = fingerprint(*project.project);
        else
            refuse_commit(context_, work);
    }
    for (auto& [name, work] : works_) {
        if (there.contains(name)) continue;
        work.gone = true;
        if (!context_.config.policy.prune) {
            work.error = "it is no longer in the repository; it is left as it is, as the policy says";
            work.desired.reset();
            continue;
        }
        auto nothing = std::make_shared<sources::Project>();
        nothing->name = name;
        work.desired = common;
        work.desired->fingerprint = fingerprint(*nothing);
        work.desired->project = std::move(nothing);
    }
}

Work& SourceLoop::work_of(const std::string& project) {
    auto [found, made] = works_.try_emplace(project);
    Work& work = found->second;
    if (!made) return work;
    work.record.project = project;
    work.record.source = config_.git.name;
    for (const ProjectRecord& record : context_.store.projects()) {
        if (record.project == project) work.record = record;  // of a source that is configured no more
    }
    work.record.source = config_.git.name;
    context_.store.put_project(work.record);
    load_work(context_, work);
    return work;
}

}  // namespace kedge::reconciler
