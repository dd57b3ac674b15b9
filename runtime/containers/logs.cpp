#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/stop_fd.h"
#include "runtime/containers/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace kedge::runtime {

namespace {

/// Wakes up when something is written, made or renamed in a log's folder.
class FolderWatch {
public:
    explicit FolderWatch(const std::string& folder) : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
        if (!fd_ ||
            ::inotify_add_watch(fd_.get(), folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0) {
            throw_errno("watch " + folder);
        }
    }
    int get() const { return fd_.get(); }
    void clear() {
        char buffer[4096];
        while (::read(fd_.get(), buffer, sizeof buffer) > 0) {
        }
    }

private:
    Fd fd_;
};

int milliseconds_until(WallTime until) {
    if (until == WallTime{}) return -1;
    auto rest = std::chrono::ceil<std::chrono::milliseconds>(until - wall_now());
    return static_cast<int>(std::clamp<int64_t>(rest.count(), 0, 1 << 30));
}

std::string log_name(const std::string& id) {
    return id + "-json.log";
}

Error cancelled(const ContainerRecord& record) {
    return Error(Code::cancelled, "logs of " + record.info.name + " were cancelled");
}

}  // namespace

ContainerEngine::Snapshot ContainerEngine::with_log(const std::string& id) const {
    Snapshot record = store_.find(id);
    if (record->info.spec.log.driver == "none") {
        throw Error(Code::invalid_argument, "configured logging driver does not support reading");
    }
    return record;
}

void ContainerEngine::logs(const std::string& id, const LogOptions& options,
                           const std::function<bool(const LogLine&)>& sink, std::stop_token stop) {
    Snapshot record = with_log(id);
    const std::string& whole_id = record->info.id;
    std::string folder = folder_of(whole_id);
    std::optional<FolderWatch> watch;
    if (options.follow) watch.emplace(folder);  // before the first read, so that nothing is missed between
    LogReader reader(folder, log_name(whole_id));
    reader.seek_tail(options.tail);
    bool goes_further = reader.drain(options, sink, stop);
    if (stop.stop_requested()) throw cancelled(*record);
    if (!goes_further || !options.follow) return;

    StopFd stopped(stop);
    auto goes_on = [](const ContainerRecord& r) {
        return r.info.status == Status::running || r.info.status == Status::paused ||
               r.info.status == Status::restarting;
    };
    while (true) {
        // Held here, so that the run whose end is waited for can't be another one's.
        auto run = run_of(whole_id);
        Snapshot now = store_.get(whole_id);
        if (!now || !goes_on(*now)) {
            (void)reader.drain(options, sink, stop);  // its last words came before its end
            return;
        }
        bool runs = run && (now->info.status == Status::running || now->info.status == Status::paused);
        if (!runs) {  // between two runs nothing is written
            auto settled = [&](const ContainerRecord& r) { return !goes_on(r) || run_of(whole_id); };
            if (!store_.wait(now, settled, stop)) throw cancelled(*now);
            continue;
        }
        pollfd fds[3] = {{watch->get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}, {run->shim_pidfd.get(), POLLIN, 0}};
        int ready = ::poll(fds, 3, milliseconds_until(options.until));
        if (ready < 0 && errno != EINTR) throw_errno("follow log");
        if (fds[1].revents) throw cancelled(*now);
        watch->clear();
        if (!reader.drain(options, sink, stop) || ready == 0) return;
        if (!fds[2].revents) continue;
        // The shim is gone and all of its log was read. What follows is known once its end is dealt with.
        if (!store_.wait(
                now, [&](const ContainerRecord& r) { return !goes_on(r) || run_of(whole_id) != run; }, stop)) {
            throw cancelled(*now);
        }
    }
}

}  // namespace kedge::runtime
