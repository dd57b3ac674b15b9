#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/containers/cgroup_limits.h"
#include "runtime/containers/cgroups.h"
#include "runtime/containers/resource_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

/// What the limits come to. Throws Error (conflict) for what contradicts those in force.
Resources merged(const Resources& old, const ContainerUpdate& update) {
    const Resources& wish = update.resources;
    auto refuse_if = [](bool contradicts, const char* why) {
        if (contradicts) throw Error(Code::conflict, why);
    };
    refuse_if(wish.nano_cpus > 0 && old.cpu_period > 0,
              "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set");
    refuse_if(wish.nano_cpus > 0 && old.cpu_quota > 0,
              "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set");
    refuse_if(wish.cpu_period > 0 && old.nano_cpus > 0,
              "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
    refuse_if(wish.cpu_quota > 0 && old.nano_cpus > 0,
              "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
    const int64_t old_swap = swap_limit(old);
    refuse_if(wish.memory > 0 && wish.memory_swap == 0 && old_swap > 0 && wish.memory > old_swap,
              "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same "
              "time");
    Resources now = old;
    if (wish.memory > 0 && old.memory > 0) now.memory_swap = old_swap;  // the limit of both together stays
    for (auto field :
         {&Resources::memory, &Resources::memory_swap, &Resources::memory_reservation, &Resources::nano_cpus,
          &Resources::cpu_period, &Resources::cpu_quota, &Resources::cpu_shares, &Resources::blkio_weight}) {
        if (wish.*field != 0) now.*field = wish.*field;
    }
    for (auto field : {&Resources::cpuset_cpus, &Resources::cpuset_mems}) {
        if (!(wish.*field).empty()) now.*field = wish.*field;
    }
    if (update.pids_limit) now.pids_limit = std::max<int64_t>(*update.pids_limit, 0);
    return now;
}

}  // namespace

std::vector<std::string> ContainerEngine::update(const std::string& id, const ContainerUpdate& update) {
    check_update(update);
    Snapshot record = store_.find(id);
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    record = store_.find(record->info.id);
    const std::string context = "Cannot update container " + record->info.id;
    try {
        if (record->info.status == Status::removing || record->info.status == Status::dead)
            throw Error(Code::conflict, "container is marked for removal and cannot be \"update\"");
        RestartPolicy restart = update.restart.value_or(record->info.spec.restart);
        if (record->info.spec.auto_remove && restart.name != RestartPolicy::Name::no) {
            throw Error(Code::conflict,
                        "Restart policy cannot be updated because AutoRemove is enabled for the container");
        }
        const Resources now = update.exact ? update.resources : merged(record->info.spec.resources, update);
        check_resources(now);
        return set_limits(record, now, restart);
    } catch (const Error& e) {
        throw e.with_context(context);
    }
}

/// The container's operation lock is held.
std::vector<std::string> ContainerEngine::set_limits(const Snapshot& record, const Resources& now,
                                                     const RestartPolicy& restart) {
    const std::string id = record->info.id, group = launcher_.group(id);
    const Resources before = record->info.spec.resources;
    const bool up = is_up(record->info.status);
    std::vector<std::string> warnings;
    if (up) launcher_.cgroups().change_limits(group, now, before, warnings);
    try {
        (void)store_.change(
            id, Keep::power,
            [&](ContainerRecord& r) {
                r.info.spec.resources = now;
                r.info.spec.restart = restart;
            },
            [&](const ContainerRecord& r) { publish(r, "update"); });
    } catch (const Error&) {
        try {
            if (up) launcher_.cgroups().change_limits(group, before, now, warnings);
        } catch (const Error& e) {
            log(LogLevel::warning, fmt::format("container {}: put limits back: {}", record->info.name, e.what()));
        }
        throw;
    }
    return warnings;
}

}  // namespace kedge::runtime
