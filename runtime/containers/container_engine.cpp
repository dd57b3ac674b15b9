#include "runtime/containers/container_engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "runtime/containers/container_check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <fmt/format.h>

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
    // Searchable by everyone: a container's own users walk through to their files.
    make_folders(AT_FDCWD, options_.root + "/containers", 0711);
    make_folders(AT_FDCWD, options_.run + "/containers", 0700);
    workers_ = std::make_unique<Workers>(4);
    supervisor_ = std::make_unique<Supervisor>([this](const std::string& id) { on_exit(id); },
                                               [this](const std::string& id) { restart_due(id); });
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
        throw Error(Code::conflict, fmt::format("Container {} is not running", record->info.id));
    }
    return record;
}

void ContainerEngine::publish(const ContainerRecord& record, const std::string& action,
                              std::map<std::string, std::string> more) {
    const ContainerInfo& info = record.info;
    std::map<std::string, std::string> attributes = info.labels;
    attributes["name"] = info.name;
    attributes["image"] = info.spec.image_name.empty() ? info.spec.image : info.spec.image_name;
    for (auto& [key, value] : more) attributes[key] = value;
    events_.publish({.type = "container", .action = action, .id = info.id, .attributes = std::move(attributes), .time = {}});
}

ContainerInfo ContainerEngine::inspect(const std::string& id) const {
    return store_.find(id)->info;
}

std::vector<ContainerInfo> ContainerEngine::list() const {
    std::vector<ContainerInfo> all;
    for (const Snapshot& record : store_.list()) {
        if (record->complete) all.push_back(record->info);
    }
    return all;
}

void ContainerEngine::rename(const std::string& id, const std::string& new_name) {
    Snapshot record = store_.find(id);
    std::string name = new_name.starts_with('/') ? new_name.substr(1) : new_name;
    if (name.empty()) throw Error(Code::invalid_argument, "Neither old nor new names may be empty");
    check_container_name(name);
    if (name == record->info.name) {
        throw Error(Code::invalid_argument, "Renaming a container with the same name as its current name");
    }
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    std::string old_name = record->info.name;
    record = store_.change(record->info.id, Keep::power, [&](ContainerRecord& r) {
        old_name = r.info.name;
        r.info.name = name;
    });
    publish(*record, "rename", {{"oldName", "/" + old_name}});
}

void ContainerEngine::set_health(const std::string& id, const Health& health) {
    Snapshot before = store_.find(id);
    // Only a change of status is worth a write; every probe's result stays in memory.
    bool changed = before->info.health.status != health.status;
    Snapshot after = store_.change(before->info.id, changed ? Keep::process : Keep::memory, [&](ContainerRecord& record) {
        record.info.health = health;
    });
    if (changed) publish(*after, "health_status: " + std::string(to_string(health.status)));
}

Fd ContainerEngine::network_namespace(const std::string& id) const {
    Snapshot record = running(id);
    auto run = run_of(record->info.id);
    Error gone(Code::conflict, fmt::format("Container {} is not running", record->info.id));
    if (!run) throw gone;
    Fd space;
    try {
        space = open_at(AT_FDCWD, fmt::format("/proc/{}/ns/net", run->init.pid), O_RDONLY);
    } catch (const Error&) {
        throw gone;
    }
    // The pid may have been given to another process before it was opened, but only if the container's ended.
    pollfd ended{run->init_pidfd.get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) != 0) throw gone;
    return space;
}

}  // namespace kedge::runtime
