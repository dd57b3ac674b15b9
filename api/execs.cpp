#include "api/execs.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"

#include <sys/ioctl.h>

#include <algorithm>

namespace kedge::api {

namespace {

constexpr int kNotStarted = 126;

}  // namespace

/// From the newest on: most are asked about soon after they were made.
Execs::Exec& Execs::find(const std::string& id) {
    auto found = std::find_if(execs_.rbegin(), execs_.rend(), [&](const Exec& exec) { return exec.id == id; });
    if (found == execs_.rend()) throw Error(Code::not_found, "No such exec instance: " + id);
    return *found;
}

std::string Execs::add(Exec exec) {
    exec.id = random_hex(32);
    std::lock_guard lock(mutex_);
    while (execs_.size() >= kKept) {
        auto old = std::find_if(execs_.begin(), execs_.end(), [](const Exec& e) { return !e.running; });
        if (old == execs_.end())
            throw Error(Code::resource_exhausted, "too many commands are being executed in containers");
        execs_.erase(old);
    }
    execs_.push_back(exec);
    return exec.id;
}

Execs::Exec Execs::get(const std::string& id) const {
    std::lock_guard lock(mutex_);
    return const_cast<Execs*>(this)->find(id);
}

Execs::Exec Execs::begin(const std::string& id) {
    std::lock_guard lock(mutex_);
    Exec& exec = find(id);
    if (exec.started) throw Error(Code::conflict, "exec command " + id + " has already run");
    exec.started = exec.running = true;
    return exec;
}

void Execs::finish(const std::string& id, int exit_code) {
    std::lock_guard lock(mutex_);
    Exec& exec = find(id);  // running ones are never dropped
    exec.running = false;
    exec.terminal = nullptr;
    exec.exit_code = exit_code;
}

void Execs::abandon(const std::string& id) {
    std::lock_guard lock(mutex_);
    for (Exec& exec : execs_) {
        if (exec.id != id || !exec.running) continue;
        exec.running = false;
        exec.exit_code = kNotStarted;
    }
}

void Execs::set_started(const std::string& id, int pid, std::shared_ptr<const Fd> terminal) {
    std::lock_guard lock(mutex_);
    Exec& exec = find(id);
    exec.pid = pid;
    exec.terminal = std::move(terminal);
}

void Execs::resize(const std::string& id, unsigned rows, unsigned columns) {
    Exec exec = get(id);
    if (!exec.running) throw Error(Code::conflict, "Exec instance " + id + " is not running");
    winsize size{static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0, 0};
    if (exec.terminal && ::ioctl(exec.terminal->get(), TIOCSWINSZ, &size) != 0) throw_errno("resize the terminal");
}

void Execs::run_detached(const Exec& exec) {
    std::lock_guard lock(mutex_);
    std::erase_if(detached_, [&](const auto& entry) {  // ended threads are joined here, those that run on stay
        return std::none_of(execs_.begin(), execs_.end(),
                            [&](const Exec& e) { return e.id == entry.first && e.running; });
    });
    auto run = [this, exec](std::stop_token stop) {
        int code = kNotStarted;
        try {
            code = run_without_client(exec, stop);
        } catch (const std::exception& error) {
            log(LogLevel::warning, "exec in " + exec.container.substr(0, 12) + ": " + error.what());
        }
        finish(exec.id, code);
    };
    try {
        detached_[exec.id] = std::jthread(run);
    } catch (...) {
        find(exec.id).running = false;
        throw;
    }
}

}  // namespace kedge::api
