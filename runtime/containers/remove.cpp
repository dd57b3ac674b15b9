#include "runtime/containers/container_engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace kedge::runtime {

void ContainerEngine::remove(const std::string& id, const RemoveOptions& options) {
    Snapshot record = store_.find(id);
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    record = store_.get(record->info.id);
    if (!record) throw Error(Code::not_found, "No such container: " + id);
    Status status = record->info.status;
    if (status == Status::running || status == Status::paused || status == Status::restarting) {
        if (!options.force) {
            const char* first = status == Status::paused ? " and must be unpaused first"
                                                         : ": stop the container before removing or force remove";
            throw Error(Code::conflict,
                        fmt::format("cannot remove container \"{}\": container is {}{}", id, to_string(status), first));
        }
        supervisor_->cancel(record->info.id);
        // From here on its policy doesn't start it again.
        record = change_at_any_rate(record->info.id, Keep::process, [](ContainerRecord& r) {
            r.info.stopped_by_hand = true;
            if (r.info.status == Status::restarting) r.info.status = Status::exited;
        });
        if (status != Status::restarting) kill_and_wait(record, true);
        record = store_.get(record->info.id);
        if (!record) return;
    }
    remove_locked(record, options.volumes);
}

/// The container's operation lock is held, and it doesn't run. `ended_just_now`: its run has been cleaned up, and
/// nobody waits for its files to be gone.
void ContainerEngine::remove_locked(const Snapshot& record, bool with_volumes, bool ended_just_now) {
    const std::string id = record->info.id;
    fault_point("container.remove.before_record");
    // What was decided is finished by the next start if this one doesn't get there. One that is removed at its end is
    // removed by the next start in any case.
    bool matters = !record->info.spec.auto_remove || record->info.started == WallTime{};
    Snapshot removing = change_at_any_rate(id, matters ? Keep::power : Keep::memory, [&](ContainerRecord& r) {
        r.info.status = Status::removing;
        r.remove_volumes = with_volumes;
    });
    fault_point("container.remove.after_record");
    if (!ended_just_now || ::access(run_folder_of(id).c_str(), F_OK) == 0) launcher_.clean_up(id, run_folder_of(id));
    if (!ended_just_now) remove_tree(AT_FDCWD, folder_of(id));
    for (const std::string& volume : record->anonymous_volumes) {
        if (!with_volumes) break;
        try {
            volumes_.remove(volume, true);
        } catch (const Error& e) {
            if (e.code() != Code::conflict) log(LogLevel::warning, e.what());  // another container uses it: it stays
        }
    }
    store_.erase(id, [&] {
        {
            std::lock_guard lock(live_mutex_);
            live_.erase(id);
        }
        if (removing->complete) publish(*removing, "destroy");
    });
    // A folder that nobody knows any more is removed by the next agent if this one doesn't get there.
    if (ended_just_now) remove_tree(AT_FDCWD, folder_of(id));
}

}  // namespace kedge::runtime
