#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "reconciler/plan.h"
#include "sources/git_source.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace kedge {
class Database;
}
namespace kedge::runtime {
class Engine;
}

namespace kedge::reconciler {

enum class ReleaseState {
    pending,
    fetching,
    blocked,
    held,
    applying,
    soaking,
    good,
    rolling_back,
    rolled_back,
    superseded
};
std::string_view to_string(ReleaseState state);

/// One numbered apply of a project: the unit of going back and a root of garbage collection.
struct Release {
    std::string project;
    int64_t number = 0;  ///< 1, 2, ... per project
    ReleaseState state = ReleaseState::pending;
    std::string commit, ref, subject;
    Target target;
    std::string cause;  ///< `commit`, `rollback to 4`, `retry`, `sync`
    std::string error;  ///< why it is blocked or was rolled back, with the probe's last output
    bool quarantined = false;
    std::map<std::string, std::string> verdicts;  ///< by service: healthy, observed, ...
    WallTime created, applied, finished;
    std::optional<WallTime> next_retry;  ///< blocked only
};

struct ServiceStatus {
    std::string service, image;
    int running = 0, desired = 0;
    std::string health;  ///< healthy, observed, starting, unhealthy, completed, crashed, stopped
};

struct ProjectStatus {
    std::string project, source;
    std::string commit;              ///< newest commit seen
    std::optional<Release> current;  ///< the one in progress or the newest
    std::optional<Release> good;     ///< the last good one
    bool held = false;
    std::string hold_reason;
    std::vector<std::string> drift;        ///< one line for each difference found; empty: none
    std::vector<std::string> quarantined;  ///< commits
    std::vector<ServiceStatus> services;
    std::vector<std::string>
        warnings;  ///< what is worth saying of the newest commit's files: `the "TAG" variable is not set`
    std::string error;
};

struct SourceStatus {
    std::string name, url, ref;
    std::optional<sources::Commit> commit;
    WallTime last_poll, next_poll, last_success;
    std::string error;
    bool polling = false;
};

struct SourceConfig {
    sources::GitSettings git;
    Nanoseconds poll = std::chrono::minutes(1);
    double jitter = 0.1;  ///< of the poll interval, either way
    std::vector<std::string> profiles;
    Policy policy;
};

struct ControllerOptions {
    std::string root;                 ///< /var/lib/kedge
    std::string device;               ///< the device's name, for hosts/<device>.env
    std::vector<std::string> labels;  ///< for groups/<label>.env
    std::vector<SourceConfig> sources;
};

/// Figures for /metrics; monotonic where the name says total.
struct Figures {
    struct Duration {
        uint64_t count = 0;
        double seconds = 0;
    };
    std::map<std::string, uint64_t> syncs_total;      ///< by source and result: `name\tsuccess`
    std::map<std::string, uint64_t> rollbacks_total;  ///< by project
    std::map<std::string, uint64_t> drift_total;      ///< by project
    std::map<std::string, Duration> steps;            ///< by kind of step
};

/// The control loop: one thread per source (fetch, load, plan, apply, judge, keep or go back) and what people ask of
/// it. Thread-safe. Unknown projects and releases are Error not_found. Every change is published as an engine event of
/// type `release` or `project`.
class Controller {
public:
    Controller(ControllerOptions options, runtime::Engine& engine, Database& database);
    /// Stops at the next safe point; containers go on running.
    ~Controller();

    std::vector<SourceStatus> sources() const;
    std::vector<ProjectStatus> status() const;
    ProjectStatus status(const std::string& project) const;
    /// Newest first.
    std::vector<Release> history(const std::string& project) const;
    Release release(const std::string& project, int64_t number) const;

    /// What a sync would do now, from the newest commit fetched (`fetch`: fetch first). Changes nothing.
    struct Diff {
        std::string commit, subject;
        Plan plan;
        std::vector<std::string> warnings;  ///< of the commit's files
        std::string note;                   ///< `held`, `commit is quarantined: ...`
    };
    Diff diff(const std::string& project, bool fetch);

    /// Wakes the source's poll now (all of them if empty). Returns at once.
    void wake(const std::string& source);
    /// Wakes the sources whose repository is one of these urls; their names.
    std::vector<std::string> wake_for(const std::vector<std::string>& urls);

    /// Fetches and applies now, drift included; returns the release that results when it is good, rolled back or
    /// blocked. `progress` gets one line a step, on the caller's thread; for one that is too slow lines are left out.
    Release sync(const std::string& project, const std::function<void(const std::string&)>& progress,
                 std::stop_token stop);
    /// Goes back to a good release (0: the last good one before the current), and quarantines the commit that is left.
    /// Waits likewise.
    Release rollback(const std::string& project, int64_t number,
                     const std::function<void(const std::string&)>& progress, std::stop_token stop);
    void hold(const std::string& project, const std::string& reason);
    void resume(const std::string& project);
    /// Lifts the quarantine of the project's newest commit and applies it again.
    void retry(const std::string& project);

    /// Ids of stopped containers that are not to be removed by mistake: a release goes back to them if it does not
    /// prove good.
    std::set<std::string> kept_containers() const;

    Figures figures() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kedge::reconciler
