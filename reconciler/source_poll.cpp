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

}  // namespace

void SourceLoop::poll() {
    {
        std::lock_guard lock(mutex_);
        poll_wanted_ = false;
        status_.polling = true;
        status_.last_poll = wall_now();
    }
    poll_error_.reset();
    std::optional<sources::Commit> commit;
    try {
        if (!git_) git_ = std::make_unique<sources::GitSource>(config_.git, context_.folder);
        try {
            commit = git_->fetch(context_.stop);
        } catch (const Error& e) {
            poll_error_ = e;
            if (loaded_commit_.empty()) commit = git_->last();  // what was fetched before the agent's start
        }
        if (commit && commit->id != loaded_commit_) {
            load_error_.reset();
            load(*commit);
        }
    } catch (const Error& e) {
        if (!commit || e.transient() || e.code() == Code::cancelled) {
            poll_error_ = e;
        } else {  // this commit won't get better: not looked at again
            load_error_ = e;
            loaded_commit_ = commit->id;
        }
    }
    for (const auto& request : requests_) request->polled = true;
    bool in_the_way = poll_error_.has_value();
    if (!poll_error_) poll_error_ = load_error_;
    for (auto& [name, work] : works_) work.poked = work.check = true;
    bool failed = poll_error_.has_value();
    poll_failures_ = in_the_way ? poll_failures_ + 1 : 0;
    Nanoseconds wait = with_jitter(config_.poll, config_.jitter);
    if (in_the_way) wait = std::min<Nanoseconds>(wait, backoff(poll_failures_));
    next_poll_ = std::chrono::steady_clock::now() + wait;
    context_.figures.sync(config_.git.name, failed ? "failure" : "success");
    if (failed) log(LogLevel::warning, "source " + config_.git.name + ": " + poll_error_->what());
    std::lock_guard lock(mutex_);
    status_.polling = false;
    status_.next_poll = wall_now() + wait;
    if (!failed) status_.last_success = wall_now();
    status_.error = failed ? poll_error_->what() : "";
    if (commit) status_.commit = commit;
}

void SourceLoop::load(const sources::Commit& commit) {
    LoadInput input;
    input.tree = git_->checkout(commit.id, context_.stop);
    input.repository = repository_name(config_.git.url);
    input.source_folder = context_.folder;
    input.device = options_.device;
    input.labels = options_.labels;
    input.profiles = config_.profiles;
    for (const auto& [name, work] : works_) {
        if (!work.record.removed) input.known.push_back(name);
    }
    take(commit, input.tree, load_projects(input));
    loaded_commit_ = commit.id;
    trees_changed_ = true;
}

void SourceLoop::take(const sources::Commit& commit, const std::string& tree, const std::vector<LoadedProject>& loaded) {
    Desired common;
    common.commit = commit.id;
    common.ref = commit.ref;
    common.subject = commit.subject;
    common.tree = tree;
    std::set<std::string> there;
    for (const LoadedProject& project : loaded) {
        std::string owner;
        if (!owners_.claim(project.name, config_.git.name, owner)) {
            load_error_ = Error(Code::conflict, "project " + project.name + " belongs to source " + owner + " already");
            continue;
        }
        there.insert(project.name);
        Work& work = work_of(project.name);
        work.gone = false;
        work.desired = common;
        work.desired->project = project.project;
        work.desired->error = project.error;
        if (project.project) work.desired->fingerprint = fingerprint(*project.project);
        else refuse_commit(context_, work);
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
