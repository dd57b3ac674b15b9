#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/containers/restart_policy.h"

#include <fmt/format.h>

namespace kedge::runtime {

namespace {

constexpr int kKilled = 137;  // what a shim that left no record was most likely ended by takes its container along

}  // namespace

/// On the supervisor's thread: a shim has ended, and with it its container.
void ContainerEngine::on_exit(const std::string& id) {
    try {
        ExitRecord exit{.exit_code = kKilled, .oom_killed = false, .finished = wall_now()};
        if (!Launcher::read_exit(run_folder_of(id), &exit)) {
            auto run = run_of(id);
            if (run) end_process(id, *run);  // only the shim died
        }
        // Written down before the run folder goes, so that the exit code is not lost with it.
        (void)change_at_any_rate(id, Keep::process, [&](ContainerRecord& r) {
            r.ended = true;
            r.info.exit_code = exit.exit_code;
            r.info.oom_killed = exit.oom_killed;
            r.info.finished = exit.finished;
        });
        finish_run(id);
    } catch (const Error& e) {
        log(LogLevel::error,
            fmt::format("container {}: its end could not be recorded: {}", id.substr(0, 12), e.what()));
    }
}

/// Cleans up after a run whose end is written down, tells, and decides what comes next.
void ContainerEngine::finish_run(const std::string& id) {
    auto attempt = [&](const char* what, auto&& step) {
        try {
            step();
        } catch (const Error& e) {
            log(LogLevel::warning, fmt::format("container {}: {}: {}", id.substr(0, 12), what, e.what()));
        }
    };
    attempt("kill what is left", [&] { launcher_.kill_all(id); });
    attempt("disconnect", [&] { networks_.disconnect(id); });
    attempt("clean up", [&] { launcher_.clean_up(id, run_folder_of(id)); });
    set_run(id, nullptr);
    bool again = false, remove = false;
    auto edit = [&](ContainerRecord& r) {
        r.ended = false;
        r.info.pid = 0;
        r.info.ports.clear();
        std::erase_if(r.info.endpoints,
                      [](const NetworkEndpoint& e) { return e.change == NetworkEndpoint::Change::leaving; });
        for (NetworkEndpoint& endpoint : r.info.endpoints) {
            endpoint.ip.clear();
            endpoint.ip6.clear();
            endpoint.change = NetworkEndpoint::Change::none;
        }
        if (r.info.health.status != Health::Status::none) r.info.health.status = Health::Status::unhealthy;
        again = r.info.status != Status::removing && should_restart(r.info);
        remove = r.info.spec.auto_remove && r.info.status != Status::removing;
        if (again) ++r.info.restart_count;
        if (r.info.status != Status::removing) r.info.status = again ? Status::restarting : Status::exited;
    };
    // The next agent does all this again with one that removes itself.
    const Snapshot ended = store_.get(id);
    const Keep keep = ended && ended->info.spec.auto_remove ? Keep::memory : Keep::process;
    Snapshot record = change_at_any_rate(id, keep, edit, [&](const ContainerRecord& r) {
        if (r.info.oom_killed) publish(r, "oom");
        publish_networks("disconnect", r);
        publish_volumes("unmount", r);
        auto ran = std::chrono::floor<std::chrono::seconds>(r.info.finished - r.info.started);
        publish(r, "die",
                {{"exitCode", std::to_string(r.info.exit_code)}, {"execDuration", std::to_string(ran.count())}});
    });
    if (again) schedule_restart(id, record->info.finished - record->info.started);
    if (remove) workers_->post([this, id] { remove_ended(id); });
}

/// The end of a container that removes itself, unless somebody is about to start it again.
void ContainerEngine::remove_ended(const std::string& id) {
    try {
        auto entry = live(id);
        std::lock_guard lock(entry->operation);
        {
            std::lock_guard live_lock(live_mutex_);
            if (entry->restarts > 0) return;
        }
        Snapshot now = store_.get(id);
        if (now && now->info.status == Status::exited) remove_locked(now, true, true);
    } catch (const Error& e) {
        log(LogLevel::warning, fmt::format("container {}: remove: {}", id.substr(0, 12), e.what()));
    }
}

void ContainerEngine::schedule_restart(const std::string& id, Nanoseconds ran) {
    auto entry = live(id);
    std::chrono::milliseconds back_off;
    {
        std::lock_guard lock(live_mutex_);
        back_off = entry->back_off = next_back_off(entry->back_off, ran);
    }
    supervisor_->call_at(id, std::chrono::steady_clock::now() + back_off);
}

/// On the supervisor's thread: the back-off of a restart is over.
void ContainerEngine::restart_due(const std::string& id) {
    workers_->post([this, id] {
        auto entry = live(id);
        std::lock_guard lock(entry->operation);
        Snapshot record = store_.get(id);
        if (!record || record->info.status != Status::restarting) return;  // stopped or removed meanwhile
        try {
            StartOptions options;
            options.publish_ports = record->ports_published;
            start_locked(id, options, true);
        } catch (const Error& e) {
            // What keeps it from starting (a port in use, a disk that is not there yet) may pass.
            log(LogLevel::warning, fmt::format("container {}: restart: {}", record->info.name, e.what()));
            bool again = false;
            (void)change_at_any_rate(id, Keep::process, [&](ContainerRecord& r) {
                again = should_restart(r.info);
                if (again) ++r.info.restart_count;
                r.info.status = again ? Status::restarting : Status::exited;
            });
            if (again) schedule_restart(id, Nanoseconds(0));
        }
    });
}

}  // namespace kedge::runtime
