#include "base/error.h"
#include "runtime/containers/container_engine.h"
#include "runtime/containers/log_reader.h"

#include <atomic>
#include <condition_variable>

namespace kedge::runtime {

namespace {

using Read = LogFollower::Read;

bool goes_on(const ContainerRecord& record) {
    return record.info.status == Status::running || record.info.status == Status::paused ||
           record.info.status == Status::restarting;
}

/// Until the container has ended for good: its record says so only after its last words are in the log.
class Follower : public LogFollower {
public:
    Follower(const std::string& folder, const std::string& log_name, const LogOptions& options)
        : options_(options), reader_(folder, log_name) {
        reader_.seek_tail(options.tail);
    }

    std::atomic<bool> over = false;
    std::shared_ptr<FolderWatch::Watch> writes;
    ContainerStore::Observation states;

    Read read(const LogSink& sink) override {
        bool was_over = over;
        Read read = reader_.read(options_, sink);
        return read == Read::waiting && was_over ? Read::ended : read;
    }

private:
    LogOptions options_;
    LogReader reader_;
};

std::string log_name(const std::string& id) {
    return id + "-json.log";
}

}  // namespace

ContainerEngine::Snapshot ContainerEngine::with_log(const std::string& id) const {
    Snapshot record = store_.find(id);
    if (record->info.spec.log.driver == "none") {
        throw Error(Code::invalid_argument, "configured logging driver does not support reading");
    }
    return record;
}

std::unique_ptr<LogFollower> ContainerEngine::follow(const std::string& id, const LogOptions& options,
                                                     std::function<void()> changed) {
    Snapshot record = with_log(id);
    const std::string& whole_id = record->info.id;
    auto follower = std::make_unique<Follower>(folder_of(whole_id), log_name(whole_id), options);
    if (!options.follow) {
        follower->over = true;
        return follower;
    }
    // Before the first read, so that nothing is missed between.
    follower->writes = folders_.add(folder_of(whole_id), changed);
    follower->states = store_.observe(whole_id, [over = &follower->over, changed](const ContainerRecord* now) {
        if (now && goes_on(*now)) return;
        *over = true;
        changed();
    });
    Snapshot now = store_.get(whole_id);
    if (!now || !goes_on(*now)) follower->over = true;
    return follower;
}

void ContainerEngine::logs(const std::string& id, const LogOptions& options, const LogSink& sink,
                           std::stop_token stop) {
    bool enough = false;
    auto until_stopped = [&](const LogLine& line) { return !stop.stop_requested() && !(enough = !sink(line)); };
    std::mutex mutex;
    std::condition_variable_any told;
    bool changed = false;
    auto follower = follow(id, options, [&] {
        std::lock_guard lock(mutex);
        changed = true;
        told.notify_one();
    });
    bool last = false;
    while (true) {
        Read read = follower->read(until_stopped);
        if (stop.stop_requested()) throw Error(Code::cancelled, "logs of " + id + " were cancelled");
        if (enough || read == Read::ended || (read == Read::waiting && last)) return;
        if (read == Read::more) continue;
        std::unique_lock lock(mutex);
        auto ready = [&] { return changed; };
        if (options.until == WallTime{})
            told.wait(lock, stop, ready);
        else
            last = !told.wait_until(lock, stop, options.until, ready);
        changed = false;
    }
}

}  // namespace kedge::runtime
