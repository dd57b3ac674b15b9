#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/fault.h"
#include "base/log.h"
#include "runtime/containers/ending.h"
#include "runtime/containers/signals.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace kedge::runtime {

namespace {

constexpr int kDefaultGrace = 10;                         // seconds
constexpr auto kKillPatience = std::chrono::seconds(10);  // for the kernel to take down what was killed

bool send(const Launched& run, int signal) {
    if (::syscall(SYS_pidfd_send_signal, run.init_pidfd.get(), signal, nullptr, 0) == 0) return true;
    if (errno == ESRCH) return false;
    throw_errno(fmt::format("send signal {}", signal));
}

/// Whether the process waits in the kernel where no signal reaches it, and for what.
std::string uninterruptible(int pid) {
    try {
        std::string stat = read_file_at(AT_FDCWD, fmt::format("/proc/{}/stat", pid));
        size_t state = stat.rfind(')');
        if (state == std::string::npos || stat.compare(state + 2, 1, "D") != 0) return {};
        std::string where = read_file_at(AT_FDCWD, fmt::format("/proc/{}/wchan", pid));
        return fmt::format("process {} is in uninterruptible sleep ({})", pid,
                           where.empty() || where == "0" ? "in the kernel" : where);
    } catch (const Error&) {
        return {};  // it went meanwhile
    }
}

}  // namespace

/// A restart that is due is called off; true if there was one.
bool ContainerEngine::cancel_restart(const Snapshot& record) {
    const std::string& id = record->info.id;
    auto entry = live(id);
    std::lock_guard lock(entry->operation);
    Snapshot now = store_.get(id);
    if (!now || now->info.status != Status::restarting) return false;
    supervisor_->cancel(id);
    (void)change_at_any_rate(id, Keep::power, [](ContainerRecord& r) {
        r.info.status = Status::exited;
        r.info.stopped_by_hand = true;
    });
    return true;
}

void ContainerEngine::stop(const std::string& id, std::optional<int> timeout_seconds, const std::string& signal) {
    if (!signal.empty()) (void)signal_number(signal);  // a wrong one is told also if there is nothing to stop
    Snapshot record = store_.find(id);
    if (cancel_restart(record)) {
        publish(*record, "stop");
        return;
    }
    {
        auto entry = live(record->info.id);
        std::lock_guard lock(entry->operation);  // a start in progress is waited for
        record = store_.find(record->info.id);
        if (!is_up(record->info.status))
            throw Error(Code::not_modified, fmt::format("container {} is already stopped", record->info.name));
        fault_point("container.stop.before_record");
        record =
            change_at_any_rate(record->info.id, Keep::power, [](ContainerRecord& r) { r.info.stopped_by_hand = true; });
        fault_point("container.stop.after_record");
    }
    int grace = timeout_seconds.value_or(record->info.spec.stop_timeout.value_or(kDefaultGrace));
    stop_run(record, signal_number(signal.empty() ? record->info.stop_signal : signal), grace);
    publish(*record, "stop");
}

/// Sends the signal, after the grace time (seconds; negative: none) SIGKILL, and waits for the end.
void ContainerEngine::stop_run(const Snapshot& record, int signal, std::optional<int> grace) {
    auto run = run_of(record->info.id);
    auto ended = [](const ContainerRecord& r) { return !is_up(r.info.status); };
    if (run && send(*run, signal)) publish(*record, "kill", {{"signal", std::to_string(signal)}});
    {
        // Not while somebody pauses it or lets it go: it would run and be called paused, or the other way round.
        auto entry = live(record->info.id);
        std::lock_guard lock(entry->operation);
        (void)let_go(record->info.id, signal != SIGKILL);  // it can take the signal now
    }
    if (grace && *grace < 0) {
        (void)store_.wait(record, ended);
        return;
    }
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(grace.value_or(kDefaultGrace));
    if (store_.wait(record, ended, {}, deadline)) return;
    kill_and_wait(record, false);
}

/// `held`: the caller has the container's operation lock.
void ContainerEngine::kill_and_wait(const Snapshot& record, bool held) {
    auto run = run_of(record->info.id);
    if (run && send(*run, SIGKILL)) publish(*record, "kill", {{"signal", "9"}});
    // What is paused, perhaps just now by somebody else, can't die.
    auto settled = [](const ContainerRecord& r) { return !is_up(r.info.status) || r.info.status == Status::paused; };
    const auto deadline = std::chrono::steady_clock::now() + kKillPatience;
    while (Snapshot now = store_.wait(record, settled, {}, deadline)) {
        if (now->info.status != Status::paused || !store_.get(now->info.id)) return;
        auto entry = live(now->info.id);
        std::unique_lock lock(entry->operation, std::defer_lock);
        if (!held) lock.lock();
        (void)let_go(now->info.id, false);
    }
    std::string reason = run ? uninterruptible(run->init.pid) : std::string();
    if (reason.empty()) reason = "its processes have not ended";
    throw Error(Code::unavailable, fmt::format("container {} was killed but is still there after {} s: {}",
                                               record->info.name, kKillPatience.count(), reason));
}

void ContainerEngine::kill(const std::string& id, const std::string& signal) {
    auto refused = [&](const std::string& why) { return fmt::format("cannot kill container: {}: {}", id, why); };
    Snapshot record;
    int number = 0;
    try {
        record = store_.find(id);
        number = signal_number(signal.empty() ? "KILL" : signal);
    } catch (const Error& error) {
        throw Error(error.code(), refused(error.what()));
    }
    bool ends = number == SIGKILL || number == signal_number(record->info.stop_signal);
    if (ends && cancel_restart(record)) return;
    auto entry = live(record->info.id);
    std::lock_guard lock(entry->operation);
    record = store_.find(record->info.id);
    auto run = run_of(record->info.id);
    if (!is_up(record->info.status) || !run) {
        throw Error(Code::conflict, refused("container " + record->info.id + " is not running"));
    }
    if (ends) {
        record =
            change_at_any_rate(record->info.id, Keep::power, [](ContainerRecord& r) { r.info.stopped_by_hand = true; });
    }
    if (!send(*run, number)) {
        throw Error(Code::conflict, refused("container " + record->info.id + " is not running"));
    }
    publish(*record, "kill", {{"signal", std::to_string(number)}});
    if (ends) (void)let_go(record->info.id, number != SIGKILL);
}

void ContainerEngine::restart(const std::string& id, std::optional<int> timeout_seconds, const std::string& signal) {
    Snapshot record = store_.find(id);
    const std::string& whole_id = record->info.id;
    auto entry = live(whole_id);
    auto count = [&](int by) {
        std::lock_guard lock(live_mutex_);
        entry->restarts += by;
    };
    count(1);
    try {
        stop_and_start(record, timeout_seconds, signal);
    } catch (...) {
        count(-1);
        throw;
    }
    count(-1);
    if (Snapshot now = store_.get(whole_id)) publish(*now, "restart");
    if (record->info.spec.auto_remove) remove_ended(whole_id);  // it may have ended again while it was kept
}

void ContainerEngine::stop_and_start(const Snapshot& record, std::optional<int> timeout_seconds,
                                     const std::string& signal) {
    auto unless_done = [](auto&& step) {
        try {
            step();
        } catch (const Error& e) {
            if (e.code() != Code::not_modified) throw;
        }
    };
    unless_done([&] { stop(record->info.id, timeout_seconds, signal); });
    StartOptions options;
    options.publish_ports = record->ports_published;
    unless_done([&] { start(record->info.id, options); });  // by somebody else who restarts it
}

std::unique_ptr<Ending> ContainerEngine::await(const std::string& id, Until until) {
    return std::make_unique<RecordEnding>(store_, id, until);
}

}  // namespace kedge::runtime
