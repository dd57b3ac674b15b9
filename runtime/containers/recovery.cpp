#include "runtime/containers/container_engine.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/log.h"
#include "runtime/containers/cgroups.h"
#include "runtime/containers/restart_policy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace kedge::runtime {

namespace {

constexpr int kLost = 255;           // the exit code of what ended with the machine, as Docker's
constexpr int kEndPatience = 10000;  // milliseconds

}  // namespace

void ContainerEngine::recover() {
    for (const std::string& damaged : store_.damaged())
        log(LogLevel::error, "container dropped, its record is damaged: " + damaged);
    auto guarded = [](const std::string& what, auto&& step) {
        try {
            step();
        } catch (const Error& e) {
            log(LogLevel::error, what + ": " + e.what());  // one container never keeps the agent from starting
        }
    };
    std::vector<Snapshot> records = store_.list();
    for (const Snapshot& record : records) {
        guarded("recover container " + record->info.name, [&] { recover_container(record); });
    }
    guarded("remove unknown folders", [&] { remove_unknown_folders(); });
    guarded("configure the default network", [&] { networks_.renew_default_network(); });
    guarded("remove left-over links", [&] { networks_.remove_leftovers(); });
    // What has to run is started once everything that runs has its addresses and ports back.
    for (const Snapshot& old : records) {
        Snapshot record = store_.get(old->info.id);
        if (record && record->info.status == Status::restarting) restart_due(record->info.id);
    }
}

void ContainerEngine::recover_container(const Snapshot& record) {
    const std::string& id = record->info.id;
    if (!record->complete || record->info.status == Status::removing) {
        auto entry = live(id);
        std::lock_guard lock(entry->operation);
        Launched run = launcher_.find(run_folder_of(id));
        if (run.init_pidfd) end_process(id, run);
        return remove_locked(record, record->remove_volumes || !record->complete);
    }
    bool was_up = is_up(record->info.status);
    Launched run = launcher_.find(run_folder_of(id));
    if (run.init_pidfd && run.shim_pidfd && was_up && !record->starting && !record->ended)
        return adopt(record, std::move(run));
    // A start that was interrupted: nobody was told that it runs, and its network may be half made.
    if (run.init_pidfd || run.shim_pidfd) end_process(id, run);
    if (was_up) {
        ExitRecord exit{.exit_code = kLost, .oom_killed = false, .finished = wall_now()};
        if (!record->ended) {
            (void)Launcher::read_exit(run_folder_of(id), &exit);
            (void)store_.change(id, Keep::process, [&](ContainerRecord& r) {
                r.ended = true;
                r.info.exit_code = exit.exit_code;
                r.info.oom_killed = exit.oom_killed;
                r.info.finished = exit.finished;
            });
        }
        return finish_run(id);
    }
    if (record->starting) networks_.disconnect(id);
    launcher_.clean_up(id, run_folder_of(id));
    (void)store_.change(id, Keep::process, [&](ContainerRecord& r) {
        bool was_starting = r.starting;
        r.starting = false;
        r.info.ports.clear();
        if (r.info.status == Status::created) return;
        // `starting` by a policy or by hand: either way it was meant to run.
        bool again = r.info.status == Status::restarting || was_starting || should_restart(r.info);
        r.info.status = again && should_restart(r.info) ? Status::restarting : Status::exited;
    });
    // Also one that has never run: whoever made it to be gone in the end can't be told any more.
    if (record->info.spec.auto_remove) remove(id, {.force = true, .volumes = true});
}

void ContainerEngine::adopt(const Snapshot& record, Launched run) {
    const std::string& id = record->info.id;
    BridgeNetworks::Attachment attachment = attachment_of(*record, !record->info.ports.empty());
    if (record->info.spec.network_mode != "host") {
        try {
            networks_.adopt(attachment, {record->info.endpoints, record->info.ports});
        } catch (const Error& e) {
            // It runs all the same, and its end has to be seen: names or ports that are missing come back with its next
            // start.
            log(LogLevel::error,
                fmt::format("container {}: its networks could not be taken over: {}", record->info.name, e.what()));
        }
    }
    auto shared = std::make_shared<const Launched>(std::move(run));
    set_run(id, shared);
    try {
        finish_changes(record);
    } catch (const Error& e) {
        log(LogLevel::error, fmt::format("container {}: its networks: {}", record->info.name, e.what()));
    }
    if (::unlink(committing_note(id).c_str()) == 0) launcher_.cgroups().thaw(launcher_.group(id));
    // The former agent may have gone between stopping its processes and writing that down.
    const Status status = launcher_.cgroups().is_frozen(launcher_.group(id)) ? Status::paused : Status::running;
    if (record->info.pid != shared->init.pid || record->info.status != status) {
        (void)store_.change(id, Keep::process, [&](ContainerRecord& r) {
            r.info.pid = shared->init.pid;
            r.info.status = status;
        });
    }
    supervisor_->watch(shared->shim_pidfd.duplicate(), [this, id] { on_exit(id); });
}

/// Kills a container's first process and waits, for a bounded time, until it and its shim are gone.
void ContainerEngine::end_process(const std::string& id, const Launched& run) const {
    if (run.init_pidfd) (void)::syscall(SYS_pidfd_send_signal, run.init_pidfd.get(), SIGKILL, nullptr, 0);
    launcher_.cgroups().thaw(launcher_.group(id));
    for (const Fd* pidfd : {&run.init_pidfd, &run.shim_pidfd}) {
        if (!*pidfd) continue;
        pollfd ended{pidfd->get(), POLLIN, 0};
        if (::poll(&ended, 1, kEndPatience) == 0) {
            throw Error(Code::unavailable, fmt::format("process {} was killed but is still there", run.init.pid));
        }
    }
}

/// What lies in the folders of containers and belongs to none: leftovers of a lost database or of a crash.
void ContainerEngine::remove_unknown_folders() {
    for (const std::string& id :
         names_in(open_at(AT_FDCWD, options_.run + "/containers", O_RDONLY | O_DIRECTORY).get())) {
        if (store_.get(id)) continue;
        Launched run = launcher_.find(run_folder_of(id));
        if (run.init_pidfd || run.shim_pidfd) {
            log(LogLevel::warning, "a container that is not on record runs and is ended: " + id);
            end_process(id, run);
        }
        launcher_.clean_up(id, run_folder_of(id));
    }
    Fd folder = open_at(AT_FDCWD, options_.root + "/containers", O_RDONLY | O_DIRECTORY);
    for (const std::string& id : names_in(folder.get())) {
        if (!store_.get(id)) remove_tree(folder.get(), id);
    }
}

}  // namespace kedge::runtime
