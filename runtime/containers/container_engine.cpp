#include "runtime/containers/container_engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/log.h"
#include "runtime/containers/container_check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <cstdio>

namespace kedge::runtime {

ContainerEngine::ContainerEngine(Options options, ContainerStore& store, Images& images, BridgeNetworks& networks,
                                 VolumeStore& volumes, Events& events)
    : options_(std::move(options)),
      store_(store),
      images_(images),
      networks_(networks),
      volumes_(volumes),
      events_(events),
      launcher_(options_.shim, options_.instance) {
    make_folders(AT_FDCWD, options_.root + "/containers", 0700);
    make_folders(AT_FDCWD, options_.run + "/containers", 0700);
    workers_ = std::make_unique<Workers>(4);
    supervisor_ = std::make_unique<Supervisor>([this](const std::string& id) { restart_due(id); });
}

ContainerEngine::~ContainerEngine() {
    workers_.reset();  // first: its work may ask the supervisor to watch
    supervisor_.reset();
}

std::shared_ptr<ContainerEngine::Live> ContainerEngine::live(const std::string& id) const {
    std::lock_guard lock(live_mutex_);
    auto& entry = live_[id];
    if (!entry) entry = std::make_shared<Live>();
    return entry;
}

std::shared_ptr<const Launched> ContainerEngine::run_of(const std::string& id) const {
    auto entry = live(id);
    std::lock_guard lock(live_mutex_);
    return entry->run;
}

void ContainerEngine::set_run(const std::string& id, std::shared_ptr<const Launched> run) {
    auto entry = live(id);
    std::lock_guard lock(live_mutex_);
    entry->run = std::move(run);
}

ContainerEngine::Snapshot ContainerEngine::running(const std::string& id) const {
    Snapshot record = store_.find(id);
    if (record->info.status == Status::restarting) {
        throw Error(Code::conflict,
                    fmt::format("Container {} is restarting, wait until the container is running", record->info.id));
    }
    if (record->info.status != Status::running) {
        throw Error(Code::conflict, fmt::format("container {} is not running", record->info.id));
    }
    return record;
}

ContainerEngine::Snapshot ContainerEngine::change_at_any_rate(const std::string& id, Keep keep,
                                                              const std::function<void(ContainerRecord&)>& edit,
                                                              const std::function<void(const ContainerRecord&)>& tell) {
    try {
        return store_.change(id, keep, edit, tell);
    } catch (const Error& e) {
        if (e.code() == Code::not_found) throw;
        log(LogLevel::warning, fmt::format("container {}: its state is not on disk: {}", id.substr(0, 12), e.what()));
        return store_.change(id, Keep::memory, edit, tell);
    }
}

void ContainerEngine::publish(const ContainerRecord& record, const std::string& action,
                              const std::map<std::string, std::string>& more) const {
    const ContainerInfo& info = record.info;
    std::map<std::string, std::string> attributes = info.labels;
    attributes["name"] = info.name;
    attributes["image"] = info.spec.image_name.empty() ? info.spec.image : info.spec.image_name;
    for (const auto& [key, value] : more) attributes[key] = value;
    events_.publish(
        {.type = "container", .action = action, .id = info.id, .attributes = std::move(attributes), .time = {}});
}

std::shared_ptr<const ContainerInfo> ContainerEngine::snapshot(const std::string& id) const {
    Snapshot record = store_.find(id);
    const ContainerInfo* info = &record->info;
    return {std::move(record), info};
}

ContainerSize ContainerEngine::size(const std::string& id) const {
    Snapshot record = store_.find(id);
    ContainerSize size;
    size.writable = tree_size(AT_FDCWD, folder_of(record->info.id) + "/upper");
    try {
        size.root_fs = images_.get(record->info.image_id.str()).size;
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;  // damaged: its size is not known
    }
    size.root_fs += size.writable;
    return size;
}

std::vector<ContainerInfo> ContainerEngine::list() const {
    std::vector<ContainerInfo> all;
    for (const auto& info : snapshots()) all.push_back(*info);
    return all;
}

std::vector<std::shared_ptr<const ContainerInfo>> ContainerEngine::snapshots() const {
    std::vector<std::shared_ptr<const ContainerInfo>> all;
    for (const Snapshot& record : store_.list()) {
        if (record->complete) all.emplace_back(record, &record->info);
    }
    return all;
}

void ContainerEngine::rename(const std::string& id, const std::string& new_name) {
    Snapshot record = store_.find(id);
    std::string name = new_name.starts_with('/') ? new_name.substr(1) : new_name;
    if (name.empty()) throw Error(Code::invalid_argument, "Neither old nor new names may be empty");
    auto refused = [](const Error& error) { return error.with_context("Error when allocating new name"); };
    try {
        check_container_name(name);
    } catch (const Error& error) {
        throw refused(error);
    }
    if (name == record->info.name) {
        throw Error(Code::invalid_argument, "Renaming a container with the same name as its current name");
    }
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    std::string old_name = record->info.name;
    try {
        record = store_.change(record->info.id, Keep::power, [&](ContainerRecord& r) {
            old_name = r.info.name;
            r.info.name = name;
        });
    } catch (const Error& error) {
        if (error.code() != Code::conflict) throw;
        throw refused(error);
    }
    networks_.rename(record->info.id, name);
    publish(*record, "rename", {{"oldName", "/" + old_name}});
}

/// Whether the container's first process is gone, or is on its way out: from then on the kernel ends what else is in
/// its namespaces and lets nothing new in, while its end is only seen once all that is done.
bool ContainerEngine::is_ending(const std::string& id) const {
    constexpr unsigned kExiting = 4;  // PF_EXITING, see proc(5), /proc/pid/stat, "flags"
    auto run = run_of(id);
    if (!run) return true;
    std::string stat;
    try {
        stat = read_file_at(AT_FDCWD, fmt::format("/proc/{}/stat", run->init.pid), 4096);
    } catch (const Error&) {
        return true;
    }
    size_t state = stat.rfind(')');  // the name before it may have blanks
    const char* fields = state == std::string::npos ? "" : stat.c_str() + state + 1;
    unsigned flags = 0;
    if (std::sscanf(fields, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1) return false;
    // Looked at last: the file read was of another process only if this one has ended.
    pollfd ended{run->init_pidfd.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) != 0 || (flags & kExiting) != 0;
}

bool ContainerEngine::set_health(const std::string& id, const Health& health, std::optional<WallTime> run) {
    Snapshot before = store_.find(id);
    if (run && is_ending(before->info.id)) return false;
    const Health& old = before->info.health;
    bool other_status = old.status != health.status;
    bool counts = old.status != Health::Status::unhealthy && old.failing_streak != health.failing_streak;
    bool taken = false, changed = false;
    auto edit = [&](ContainerRecord& r) {
        // What is paused meanwhile answers no probe, and is no less well for that.
        taken = !run || (r.info.started == *run && r.info.status == Status::running && !r.ended);
        changed = taken && r.info.health.status != health.status;
        if (taken) r.info.health = health;
    };
    auto tell = [&](const ContainerRecord& r) {
        if (changed) publish(r, "health_status: " + std::string(to_string(health.status)));
    };
    if (other_status || counts) {
        try {
            (void)store_.change(before->info.id, Keep::process, edit, tell);
            return taken;
        } catch (const Error& e) {
            if (e.code() == Code::not_found) throw;
            // A full disk doesn't make a container less well: the next agent finds out for itself.
        }
    }
    (void)store_.change(before->info.id, Keep::memory, edit, tell);
    return taken;
}

Fd ContainerEngine::network_namespace(const std::string& id) const {
    return open_network_namespace(running(id)->info.id);
}

}  // namespace kedge::runtime
