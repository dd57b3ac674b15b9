#pragma once

#include "reconciler/controller.h"
#include "reconciler/figure_book.h"
#include "reconciler/observe.h"
#include "reconciler/release_store.h"
#include "reconciler/soak.h"

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace kedge::reconciler {

using SteadyTime = std::chrono::steady_clock::time_point;
inline constexpr SteadyTime kNever = SteadyTime::max();

/// What the newest commit says about a project.
struct Desired {
    std::string commit, ref, subject;
    std::shared_ptr<const sources::Project> project;  ///< null if it could not be loaded
    std::string fingerprint;                          ///< the same for two commits that mean the same for this project
    std::string error;
};

/// Where the carrying out of a plan stands. Lives in memory only: after a crash the plan is made again from what is
/// there.
struct Cursor {
    Plan plan;
    size_t next = 0;
    SteadyTime wait_until = kNever;   ///< the end of patience with the WaitFor at `next`
    SteadyTime delay_until = kNever;  ///< its condition is met, and this is the end of its delay
};

/// Pulling, on a thread of its own so that other projects go on meanwhile. Its destructor stops and joins it.
struct FetchJob {
    std::future<std::map<std::string, Digest>> images;
    std::jthread thread;
};

/// One project of a source, as its loop's thread sees it. The release in progress is in the store as well; the rest of
/// what is in progress can be found again from the machine.
struct Work {
    ProjectRecord record;
    std::optional<Desired> desired;
    bool gone = false;  ///< the newest commit doesn't have it

    std::optional<Release> active;  ///< in progress
    int64_t resumed = 0;            ///< the number of the release in progress that a former agent began
    std::optional<Release> newest, good;
    std::string good_fingerprint;
    std::map<std::string, std::string> good_hashes;
    Target nothing;                                 ///< what there is to go back to before the first good release
    std::map<std::string, std::string> quarantine;  ///< commit -> reason
    std::set<std::string> quarantined_meanings;     ///< fingerprints
    std::map<std::string, std::string> retired;
    std::set<std::string> stopped;

    std::string cause = "commit";               ///< of the next release
    bool forced = false;                        ///< a release is wanted though nothing changed
    std::map<std::string, std::string> hashes;  ///< of the active release's target
    std::optional<Cursor> cursor;
    std::optional<FetchJob> job;
    std::optional<Soak> soak;  ///< of all containers but those that were unwell before the release
    int failures = 0;          ///< of the same thing in a row
    SteadyTime not_before{};   ///< the earliest time for another try
    SteadyTime clean_up_at{};

    bool check = false;      ///< compare with the machine
    bool first_look = true;  ///< not compared since the agent's start: what a reboot ended is started again
    std::optional<Cursor> repair;
    int repairs = 0;  ///< that followed closely on each other
    SteadyTime last_repair{};
    SteadyTime repair_again_at{};  ///< the same drift, or any once there were many, is not reverted before: somebody
                                   ///< else puts it back
    std::vector<std::string> drift;
    std::string error;
    SteadyTime due = kNever;  ///< when to look again though nothing happened
    bool poked = true;
    std::vector<std::function<void(const std::string&)>> listeners;  ///< progress, one line a step
};

/// What the states' actions work with.
struct Context {
    runtime::Engine& engine;
    ReleaseStore& store;
    FigureBook& figures;
    const SourceConfig& config;
    std::string folder;  ///< <root>/sources/<name>
    std::stop_token stop;
    std::function<void()> wake;        ///< makes the loop look again
    std::function<void()> keep_trees;  ///< after the set of kept releases changed
    std::optional<Machine> machine;    ///< of this pass

    const Machine& look() {
        if (!machine) machine = observe_machine(engine);
        return *machine;
    }
    std::string files() const { return folder + "/files"; }
};

/// What a turn came to: `again` at once, or not before `due` unless something happens.
struct Turn {
    bool again = false;
    SteadyTime due = kNever;
};

/// The project's state decides on one small action; this does it.
Turn advance(Context& context, Work& work);
/// Whether advance() would do something now or later by itself: false means that the project is where it is meant to
/// be, or waits for people.
bool is_busy(const Work& work);
/// What the store knows of the project.
void load_work(Context& context, Work& work);

// The actions, one file each.
bool wants_release(const Work& work);
bool is_quarantined(const Work& work);
/// Writes down that the newest commit's project could not even be loaded.
void refuse_commit(Context& context, Work& work);
Turn begin_release(Context& context, Work& work);
/// The same with a release that is ready but for its number.
Turn begin_release(Context& context, Work& work, Release release);
Turn fetch(Context& context, Work& work);
Turn apply(Context& context, Work& work);
Turn soak(Context& context, Work& work);
Turn go_back(Context& context, Work& work);
Turn clean_up(Context& context, Work& work);
Turn compare(Context& context, Work& work);
Turn repair(Context& context, Work& work);

/// Ends the release in favour of another one. What it kept for going back is kept on.
void supersede(Context& context, Work& work, const std::string& reason);
/// A failure that trying again would not help: back to the last good release, and the commit is quarantined.
Turn fail(Context& context, Work& work, const std::string& error, bool quarantine = true);
/// The target to go back to: the last good release's, or nothing.
const Target& good_target(const Work& work);

/// Lets go of old releases, and of what only they needed. Best effort: the next release's end tries again.
void forget_old(Context& context, Work& work);
/// Pins the images of all kept releases of the project, and those of `more`.
void pin_images(Context& context, const Work& work, const Target* more = nullptr);

// Small things that the actions share.
void record(Context& context, Work& work, ReleaseState state);
void tell(Context& context, Work& work, const std::string& line);
void publish(Context& context, const Work& work, const std::string& type, const std::string& action,
             const std::string& text);
History history_of(const Work& work, bool going_back);
enum class StepOutcome { done, waiting, wait_failed };
struct StepResult {
    StepOutcome outcome = StepOutcome::done;
    std::string reason;
    SteadyTime due = kNever;
};
/// Carries out the step at the cursor, or looks whether what it waits for is there.
StepResult run_step(Context& context, Work& work, Cursor& cursor, const Target& target);
/// Doubling from 1 s to at most 5 minutes, a quarter of it by chance.
std::chrono::milliseconds backoff(int failures);
std::string fingerprint(const sources::Project& project);

}  // namespace kedge::reconciler
