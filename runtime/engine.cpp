#include "runtime/engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/programs.h"
#include "runtime/containers/container_engine.h"
#include "runtime/containers/container_store.h"
#include "runtime/images/image_store.h"
#include "runtime/networks/bridge_networks.h"
#include "runtime/volumes/volume_store.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <set>

namespace kedge::runtime {

namespace {

bool is_gone(const std::string& pid) {
    return !pid.empty() && ::kill(std::atoi(pid.c_str()), 0) != 0 && errno == ESRCH;
}

/// Holds <root>/lock for as long as it lives; the file names the holder's pid for whoever comes second.
Fd lock_root(const std::string& root) {
    Fd file = open_at(AT_FDCWD, root + "/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
    // A process that an agent was starting when it was killed has the agent's lock until it executes its program.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) throw_errno("lock " + root);
        if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("read " + root + "/lock");
        std::string pid = read_all(file.get(), 64);
        pid.erase(std::remove(pid.begin(), pid.end(), '\n'), pid.end());
        if (!is_gone(pid) || std::chrono::steady_clock::now() > patience) {
            throw Error(Code::conflict,
                        root + " is in use by another agent (pid " + (pid.empty() ? "unknown" : pid) + ")");
        }
        (void)::poll(nullptr, 0, 10);
    }
    if (::ftruncate(file.get(), 0) != 0 || ::lseek(file.get(), 0, SEEK_SET) != 0)
        throw_errno("write " + root + "/lock");
    write_all(file.get(), std::to_string(::getpid()) + "\n");
    return file;
}

EngineOptions prepared(EngineOptions options) {
    for (std::string* folder : {&options.root, &options.run}) {
        if (folder->empty() || (*folder)[0] != '/') {
            throw Error(Code::invalid_argument, "\"" + *folder + "\" is not an absolute path");
        }
        while (folder->size() > 1 && folder->back() == '/') folder->pop_back();
    }
    // Layers and containers' files hold setuid programs and device nodes, which nobody on the host may reach by a path.
    // Containers need no way in: what they see was mounted by us.
    make_private_folder(options.root);
    make_folders(AT_FDCWD, options.run, 0711);  // users walk through to the socket
    if (options.shim.empty()) options.shim = find_program("kedge-shim");
    if (::access(options.shim.c_str(), X_OK) != 0) throw_errno("kedge-shim: " + options.shim);
    return options;
}

bool uses_volume(const ContainerRecord& record, const std::string& name) {
    // What is being removed has already let go of its volumes.
    if (record.info.status == Status::removing) return false;
    return std::any_of(record.info.mounts.begin(), record.info.mounts.end(),
                       [&](const Mount& mount) { return mount.type == Mount::Type::volume && mount.source == name; });
}

}  // namespace

/// In the order in which they need each other.
struct Engine::Parts {
    EngineOptions options;
    Fd lock;
    Events events;
    ContainerStore store;
    VolumeStore volumes;
    ImageStore images;
    BridgeNetworks networks;
    ContainerEngine containers;

    Parts(EngineOptions given, Database& database)
        : options(prepared(std::move(given))),
          lock(lock_root(options.root)),
          store(database),
          volumes(options.root + "/volumes", database, events,
                  [this](const std::string& name) { return users_of(name); }),
          images(options.root, options.registries, options.pull_connections, options.layer_size_limit, database, events,
                 [this] { return used_images(); }),
          networks({.instance = options.instance,
                    .address_pools = options.address_pools,
                    .default_network = options.default_network},
                   database, &events),
          containers({options.root, options.run, options.instance, options.shim}, store, images, networks, volumes,
                     events) {}

    std::vector<std::string> users_of(const std::string& volume) const {
        std::vector<std::string> ids;
        for (const auto& record : store.list()) {
            if (uses_volume(*record, volume)) ids.push_back(record->info.id);
        }
        return ids;
    }

    std::set<Digest> used_images() const {
        std::set<Digest> used;
        for (const auto& record : store.list()) {
            used.insert(record->info.image_id);
            if (record->info.status == Status::removing) continue;
            for (const Mount& mount : record->info.mounts)
                if (!mount.image_id.empty()) used.insert(Digest::parse(mount.image_id));
        }
        return used;
    }
};

Engine::Engine(EngineOptions options, Database& database)
    : parts_(std::make_unique<Parts>(std::move(options), database)) {
    parts_->containers.recover();
}

Engine::~Engine() = default;

Images& Engine::images() {
    return parts_->images;
}

Containers& Engine::containers() {
    return parts_->containers;
}

ContainerFiles& Engine::files() {
    return parts_->containers;
}

Networks& Engine::networks() {
    return parts_->networks;
}

Volumes& Engine::volumes() {
    return parts_->volumes;
}

Events& Engine::events() {
    return parts_->events;
}

const EngineOptions& Engine::options() const {
    return parts_->options;
}

}  // namespace kedge::runtime
