#pragma once

#include "base/error.h"
#include "reconciler/load_projects.h"
#include "reconciler/work.h"
#include "runtime/events.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kedge::reconciler {

/// Which source a project belongs to: the first that brought it. Thread-safe.
class ProjectOwners {
public:
    /// True if the project is this source's now.
    bool claim(const std::string& project, const std::string& source, std::string& owner);

private:
    std::mutex mutex_;
    std::map<std::string, std::string> owners_;
};

/// Something that a person asked of a project; carried out by the loop's thread.
struct Request {
    enum class Kind { sync, rollback, hold, resume, retry, fetch };
    Kind kind = Kind::sync;
    std::string project;
    int64_t number = 0;
    std::string reason;

    bool wants_progress = false;
    std::mutex mutex;  ///< of what follows
    std::condition_variable_any changed;
    std::deque<std::string> progress;  ///< lines for the thread that asked to take; the loop doesn't wait for that
    size_t left_out = 0;               ///< lines before these, for which there was no room
    bool done = false;
    std::optional<Release> result;
    std::optional<Error> error;
    bool asked = false;   ///< loop only: it was there when the repository was asked
    bool polled = false;  ///< loop only: and the repository has answered
};

/// What a look at the repository came to.
struct Polled {
    std::optional<sources::Commit> commit;
    std::string tree;              ///< the commit's files; empty if it is loaded already or they couldn't be had
    std::optional<Error> error;    ///< something in the way: tried again soon
    std::optional<Error> refusal;  ///< what is wrong with the commit
};

/// Asking the repository, on a thread of its own. Its destructor stops and joins it.
struct PollJob {
    std::future<Polled> result;
    std::jthread thread;
};

/// The loop of one source: its thread has the repository asked, gives every project its turns, and sleeps until
/// something happens.
class SourceLoop {
public:
    SourceLoop(SourceConfig config, const ControllerOptions& options, runtime::Engine& engine, ReleaseStore& store,
               FigureBook& figures, ProjectOwners& owners);
    ~SourceLoop();
    void start();

    const SourceConfig& config() const { return config_; }
    SourceStatus status() const;
    /// A project as it was after its last turn.
    struct Snapshot {
        std::optional<Desired> desired;
        std::map<std::string, std::string> quarantine, retired;
        std::set<std::string> stopped;
        std::vector<std::string> drift;
        ProjectRecord record;
        bool quarantined = false;  ///< the newest commit is
        std::string error;
    };
    std::vector<Snapshot> snapshots() const;
    std::optional<Snapshot> snapshot(const std::string& project) const;

    void wake_poll();
    void post(std::shared_ptr<Request> request);

private:
    void run(std::stop_token stop);
    bool pass();
    void sleep(std::stop_token stop, bool again);
    void see(const runtime::Event& event);
    void start_poll();
    void finish_poll();
    void note_poll(const Polled& polled);
    void load(const sources::Commit& commit, const std::string& tree);
    void take(const sources::Commit& commit, const std::vector<LoadedProject>& loaded);
    Work& work_of(const std::string& project);
    void keep_trees();
    void begin_request(const std::shared_ptr<Request>& request);
    void begin_rollback(const Request& request, Work& work);
    void begin_retry(Work& work);
    void begin_resume(Work& work);
    void handle_requests();
    void finish_requests();
    void finish(const std::shared_ptr<Request>& request, std::optional<Release> release, std::optional<Error> error);
    void set_listeners(const std::string& project);
    void publish_snapshot(const Work& work);
    void wake();

    const SourceConfig config_;
    const ControllerOptions& options_;
    runtime::Engine& engine_;
    ProjectOwners& owners_;
    std::unique_ptr<sources::GitSource> git_;  ///< the poll job's while there is one
    std::optional<PollJob> poll_job_;
    Context context_;
    std::map<std::string, Work> works_;
    std::vector<std::shared_ptr<Request>> requests_;  ///< in progress
    std::string loaded_commit_;
    std::optional<Error> poll_error_;
    std::optional<Error> load_error_;  ///< of the commit that is loaded
    bool trees_changed_ = false;
    SteadyTime next_poll_{};
    int poll_failures_ = 0;
    uint64_t next_event_ = 0;

    mutable std::mutex mutex_;  ///< of what follows
    SourceStatus status_;
    std::map<std::string, Snapshot> snapshots_;
    std::vector<std::shared_ptr<Request>> posted_;
    bool poll_wanted_ = false, woken_ = false;
    std::stop_source sleeper_;

    std::jthread thread_;  ///< last: it uses all of the above
};

}  // namespace kedge::reconciler
