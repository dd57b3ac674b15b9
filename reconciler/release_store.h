#pragma once

#include "reconciler/controller.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kedge {
class Database;
}

namespace kedge::reconciler {

/// What is remembered of a project beside its releases.
struct ProjectRecord {
    std::string project, source;
    bool held = false;
    std::string hold_reason;
    bool removed = false;  ///< gone from the repository, and everything of it but its volumes removed
};

/// Releases and what belongs to them, in the agent's database: what lets a rollout be finished or undone after a crash.
/// Every change is one transaction that survives a power cut. Thread-safe.
class ReleaseStore {
public:
    /// Releases that can't be read are set aside (table reconciler_unreadable), with a line in the log.
    explicit ReleaseStore(Database& database);

    std::vector<ProjectRecord> projects() const;
    void put_project(const ProjectRecord& record);

    /// Newest first. Targets of releases that are no longer kept are empty.
    std::vector<Release> history(const std::string& project) const;
    std::optional<Release> find(const std::string& project, int64_t number) const;
    std::optional<Release> newest(const std::string& project) const;
    std::optional<Release> last_good(const std::string& project) const;
    /// Gives the release its number and writes it down. The newest 200 rows stay, and those that may be gone back to.
    void add(Release& release);
    void put(const Release& release);
    /// Forgets the targets of all but the newest good release, `kept` good ones before it and what is in progress; and
    /// rows without a target beyond the newest 200.
    void forget_old(const std::string& project, int kept);
    /// The targets that are still kept.
    std::vector<Target> kept_targets(const std::string& project) const;

    /// Image names that kedge itself pulled for the project, with what they led to. `was_there`: the name was on the
    /// machine before, so that it is noted only if kedge had brought that as well.
    void add_pulled(const std::string& project, const std::string& name, const Digest& image, bool was_there);
    std::map<std::string, Digest> pulled(const std::string& project) const;
    void forget_pulled(const std::string& project, const std::string& name);

    std::map<std::string, std::string> quarantine(const std::string& project) const;  ///< commit -> reason
    /// What the quarantined commits mean for the project: later commits that mean the same are no better.
    std::set<std::string> quarantined_meanings(const std::string& project) const;
    /// The newest 200 stay.
    void add_quarantine(const std::string& project, const std::string& commit, const std::string& reason,
                        const std::string& meaning);
    void lift_quarantine(const std::string& project, const std::string& commit, const std::string& meaning);

    /// Written before the step is done: retired container id -> the name it had.
    void add_retired(const std::string& project, const std::string& id, const std::string& name);
    std::map<std::string, std::string> retired(const std::string& project) const;
    void add_stopped(const std::string& project, const std::string& id);
    std::set<std::string> stopped(const std::string& project) const;
    /// The release is over and what it kept is removed.
    void clear_retired(const std::string& project);

private:
    Database& database_;
};

/// JSON for keeping a target with its release. parse throws Error.
std::string to_json_text(const Target& target);
Target target_from_json(const std::string& text);

}  // namespace kedge::reconciler
