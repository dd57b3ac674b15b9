#include "reconciler/work.h"

#include "base/error.h"
#include "base/log.h"
#include "reconciler/apply.h"
#include "reconciler/render.h"
#include "runtime/engine.h"

#include <algorithm>
#include <random>

namespace kedge::reconciler {

namespace {

bool is_over(ReleaseState state) {
    return state == ReleaseState::good || state == ReleaseState::rolled_back || state == ReleaseState::superseded;
}

/// A newer commit is more than what is being rolled out: it takes over at this safe point.
bool is_preempted(const Work& work) {
    if (!work.desired || !work.desired->project || work.active->state == ReleaseState::rolling_back) return false;
    if (work.desired->commit == work.active->commit || is_quarantined(work)) return false;
    return work.forced || work.desired->fingerprint != fingerprint(work.active->target.project);
}

}  // namespace

void load_work(Context& context, Work& work) {
    const std::string& project = work.record.project;
    work.nothing.project.name = project;
    work.newest = context.store.newest(project);
    work.good = context.store.last_good(project);
    work.good_fingerprint = work.good ? fingerprint(work.good->target.project) : std::string();
    work.good_hashes = work.good ? config_hashes(work.good->target) : std::map<std::string, std::string>();
    work.quarantine = context.store.quarantine(project);
    work.quarantined_meanings = context.store.quarantined_meanings(project);
    work.retired = context.store.retired(project);
    work.stopped = context.store.stopped(project);
    work.check = true;  // doesn't wait for the repository either
    if (!work.newest || is_over(work.newest->state)) return;
    work.active = work.newest;
    work.resumed = work.active->number;
    // What ended with the machine is started again, and everything soaks anew.
    if (work.active->state == ReleaseState::soaking) work.active->state = ReleaseState::applying;
    work.hashes = config_hashes(work.active->target);
}

Turn advance(Context& context, Work& work) {
    if (work.active && is_preempted(work)) {
        supersede(context, work, "commit " + work.desired->commit.substr(0, 12) + " is newer");
        return begin_release(context, work);
    }
    if (work.active) {
        switch (work.active->state) {
            case ReleaseState::pending:
            case ReleaseState::fetching: return fetch(context, work);
            case ReleaseState::blocked:
                if (std::chrono::steady_clock::now() < work.not_before) return {false, work.not_before};
                record(context, work, ReleaseState::fetching);
                return {true, kNever};
            case ReleaseState::held:
                if (work.record.held || !work.active->error.empty())
                    return {};  // by a person, or paused by its failure
                record(context, work, ReleaseState::applying);
                return {true, kNever};
            case ReleaseState::applying: return apply(context, work);
            case ReleaseState::soaking: return soak(context, work);
            case ReleaseState::rolling_back: return go_back(context, work);
            default: throw Error(Code::internal, "a release that is over is in progress");
        }
    }
    bool unfinished = work.newest && work.newest->state == ReleaseState::superseded;
    if (unfinished && !work.desired) return {};  // what takes over from it is not known yet
    bool clean = work.retired.empty() && work.stopped.empty();
    if (!clean && !unfinished && !work.repair && std::chrono::steady_clock::now() >= work.clean_up_at)
        return clean_up(context, work);
    if (wants_release(work)) return begin_release(context, work);
    if (work.repair) return repair(context, work);
    if (work.check) return compare(context, work);
    SteadyTime due = std::max(work.not_before, work.clean_up_at);
    return {false, due > std::chrono::steady_clock::now() ? due : kNever};
}

bool is_busy(const Work& work) {
    if (work.active) return work.active->state != ReleaseState::blocked && work.active->state != ReleaseState::held;
    return wants_release(work) || work.repair || work.check;
}

const Target& good_target(const Work& work) {
    return work.good ? work.good->target : work.nothing;
}

History history_of(const Work& work, bool going_back) {
    History history;
    history.going_back = going_back;
    history.retired_names = work.retired;
    history.stopped = work.stopped;
    return history;
}

void record(Context& context, Work& work, ReleaseState state) {
    Release& release = *work.active;
    release.state = state;
    if (state != ReleaseState::blocked) release.next_retry.reset();
    if (is_over(state)) release.finished = wall_now();
    context.store.put(release);
    work.newest = release;
    publish(context, work, "release", std::string(to_string(state)), release.error);
    tell(context, work,
         "release " + std::to_string(release.number) + " is " + std::string(to_string(state)) +
             (release.error.empty() ? "" : ": " + release.error));
}

void tell(Context&, Work& work, const std::string& line) {
    log(LogLevel::info, work.record.project + ": " + line);
    for (const auto& listener : work.listeners) listener(line);
}

void publish(Context& context, const Work& work, const std::string& type, const std::string& action,
             const std::string& text) {
    runtime::Event event;
    event.type = type;
    event.action = action;
    event.id = work.record.project;
    event.attributes["project"] = work.record.project;
    event.attributes["source"] = work.record.source;
    if (work.active) {
        event.attributes["release"] = std::to_string(work.active->number);
        event.attributes["commit"] = work.active->commit;
    }
    if (!text.empty()) event.attributes["message"] = text;
    context.engine.events().publish(std::move(event));
}

StepResult run_step(Context& context, Work& work, Cursor& cursor, const Target& target) {
    const Step& step = cursor.plan.steps[cursor.next];
    auto now = std::chrono::steady_clock::now();
    if (auto* wait = std::get_if<WaitFor>(&step.action)) {
        if (cursor.wait_until == kNever) {
            tell(context, work, describe(step.action) + " (" + step.reason + ")");
            cursor.wait_until = now + context.config.policy.dependency_timeout;
        }
        WaitResult result{WaitState::met, {}};
        if (cursor.delay_until == kNever)
            result = check_wait(*wait, observe(context.look(), target, history_of(work, false)));
        if (result.state == WaitState::pending && now >= cursor.wait_until) {
            result = {WaitState::failed,
                      "it took longer than " + format_duration(context.config.policy.dependency_timeout)};
        }
        if (result.state == WaitState::pending) return {StepOutcome::waiting, {}, cursor.wait_until};
        if (result.state == WaitState::met && cursor.delay_until == kNever) cursor.delay_until = now + wait->delay;
        if (result.state == WaitState::met && now < cursor.delay_until)
            return {StepOutcome::waiting, {}, cursor.delay_until};
        cursor.wait_until = cursor.delay_until = kNever;
        ++cursor.next;
        if (result.state == WaitState::met || !wait->required) return {};
        return {StepOutcome::wait_failed, describe(step.action) + ": " + result.reason, kNever};
    }
    tell(context, work, describe(step.action) + " (" + step.reason + ")");
    if (auto* retire = std::get_if<RetireContainer>(&step.action)) {
        for (const auto& info : context.look().containers) {
            if (info->id == retire->id) work.retired.emplace(info->id, info->name);
        }
    }
    if (auto* halt = std::get_if<StopContainer>(&step.action)) work.stopped.insert(halt->id);
    context.machine.reset();
    carry_out(context.engine, context.store, work.record.project, step.action);
    std::chrono::duration<double> taken = std::chrono::steady_clock::now() - now;
    context.figures.step(kind(step.action), taken.count());
    ++cursor.next;
    return {};
}

std::chrono::milliseconds backoff(int failures) {
    static thread_local std::mt19937 random{std::random_device{}()};
    int64_t base = int64_t{1000} << std::clamp(failures - 1, 0, 9);
    base = std::min<int64_t>(base, 300'000);
    std::uniform_int_distribution<int64_t> chance(0, base / 4);
    return std::chrono::milliseconds(base - base / 8 + chance(random));
}

std::string fingerprint(const sources::Project& project) {
    sources::Project same = project;
    same.directory.clear();
    same.files.clear();
    for (auto& [name, service] : same.services) {
        for (sources::VolumeMount& volume : service.volumes) {
            if (!volume.content_digest.empty()) volume.source.clear();
        }
    }
    for (auto* files : {&same.secrets, &same.configs}) {
        for (auto& [key, file] : *files) {
            if (!file.content_digest.empty()) file.path.clear();
        }
    }
    return Digest::of(sources::canonical_text(same)).hex();
}

}  // namespace kedge::reconciler
