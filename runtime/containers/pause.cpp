#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "runtime/containers/cgroups.h"

#include <fmt/format.h>

namespace kedge::runtime {

namespace {

/// For commands that are just being started inside: one that is stopped halfway would keep its caller waiting.
constexpr auto kExecPatience = std::chrono::seconds(10);

}  // namespace

void ContainerEngine::pause(const std::string& id) {
    Snapshot record = store_.find(id);
    const std::string whole_id = record->info.id;
    auto entry = live(whole_id);
    std::lock_guard lock(entry->operation);
    record = store_.find(whole_id);
    if (record->info.status == Status::paused)
        throw Error(Code::conflict, fmt::format("Container {} is already paused", whole_id));
    record = running(whole_id);
    std::unique_lock entering(entry->entering, kExecPatience);
    if (!entering) {
        throw Error(Code::unavailable,
                    fmt::format("cannot pause container {}: a command is being started in it", record->info.name));
    }
    const std::string group = launcher_.group(whole_id);
    try {
        launcher_.cgroups().freeze(group);
    } catch (const Error& e) {
        if (is_ending(whole_id)) throw Error(Code::conflict, fmt::format("container {} is not running", whole_id));
        throw e.with_context(fmt::format("cannot pause container {}", record->info.name));
    }
    bool paused = false;
    (void)change_at_any_rate(
        whole_id, Keep::process,
        [&](ContainerRecord& r) {
            paused = r.info.status == Status::running && !r.ended;
            if (paused) r.info.status = Status::paused;
        },
        [&](const ContainerRecord& r) {
            if (paused) publish(r, "pause");
        });
    if (paused) return;
    launcher_.cgroups().thaw(group);
    throw Error(Code::conflict, fmt::format("container {} is not running", whole_id));
}

void ContainerEngine::unpause(const std::string& id) {
    Snapshot record = store_.find(id);
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    if (!let_go(record->info.id, true))
        throw Error(Code::conflict, fmt::format("Container {} is not paused", record->info.id));
}

/// A paused container goes on; false if it isn't paused. `tell`: with an event. What was sent to it meanwhile, it gets
/// now.
bool ContainerEngine::let_go(const std::string& id, bool tell) {
    Snapshot record = store_.get(id);
    if (!record || record->info.status != Status::paused) return false;
    launcher_.cgroups().thaw(launcher_.group(id));
    bool was_paused = false;
    (void)change_at_any_rate(
        id, Keep::process,
        [&](ContainerRecord& r) {
            was_paused = r.info.status == Status::paused;
            if (was_paused) r.info.status = Status::running;
        },
        [&](const ContainerRecord& r) {
            if (was_paused && tell) publish(r, "unpause");
        });
    return was_paused;
}

ContainerEngine::Entered ContainerEngine::enter(const std::string& id) const {
    Entered entered;
    entered.record = store_.find(id);
    entered.live = live(entered.record->info.id);
    entered.lock = std::shared_lock(entered.live->entering);
    entered.record = store_.find(entered.record->info.id);
    if (entered.record->info.status == Status::paused) {
        throw Error(Code::conflict, fmt::format("Container {} is paused, unpause the container before exec", id));
    }
    entered.record = running(entered.record->info.id);
    return entered;
}

}  // namespace kedge::runtime
