#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace kedge::health {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Jobs that are done again and again, each at its own time, on threads that come and go with the need for them.
///
/// A probe may block for its whole timeout (30 s unless the user says otherwise), so with a fixed number of threads as
/// many containers that hang would keep all the others from being probed, and a rollout of theirs from ending.
/// Therefore a thread that takes a job makes sure that another one waits for the next, up to `most` of them; those that
/// are idle beyond `kept` end. Only one of the idle ones waits for a time, the others for their turn: nothing wakes up
/// without a job due. Past `most` jobs that all hang, others wait for the first of them: that bounds what a machine
/// full of broken containers costs the agent.
class Timetable {
public:
    /// Does the work; when to do it again, or never. Must not throw. Should return soon after `stop`.
    using Job = std::function<std::optional<SteadyTime>(std::stop_token stop)>;

    Timetable(size_t kept, size_t most);
    ~Timetable();  ///< stops what is being done and waits for its end

    /// From `first` on does this job under the name; in the place of one that has it already, which is stopped.
    void put(const std::string& name, SteadyTime first, Job job);
    /// Stops the job, without waiting for its end; nothing if there is none.
    void drop(const std::string& name);

    size_t threads() const;  ///< how many there are now

private:
    struct Entry {
        Job job;
        SteadyTime due;
        bool busy = false;
        std::stop_source stop;
    };
    using Entries = std::map<std::string, std::shared_ptr<Entry>>;

    void run();
    Entries::iterator next();
    std::shared_ptr<Entry> await_due(std::unique_lock<std::mutex>& lock, std::string* name);
    void add_thread();
    void done(const std::string& name, const std::shared_ptr<Entry>& entry, std::optional<SteadyTime> again);

    const size_t kept_, most_;
    mutable std::mutex mutex_;
    std::condition_variable turn_;     ///< for the place of the one that waits for a time
    std::condition_variable changed_;  ///< for that one
    Entries entries_;
    std::map<std::thread::id, std::thread> threads_;
    std::vector<std::thread> ended_;  ///< to be joined
    size_t idle_ = 0;
    bool led_ = false;  ///< somebody waits for a time
    bool ending_ = false;
};

}  // namespace kedge::health
