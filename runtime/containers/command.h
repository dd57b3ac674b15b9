#pragma once

#include "runtime/containers/launcher.h"
#include "runtime/execution.h"

#include <functional>
#include <map>

namespace kedge::runtime {

/// A command in a container and the exec shim that stands for it.
class Command final : public Execution {
public:
    /// Publishes an event of it.
    using Tell = std::function<void(const std::string& action, const std::map<std::string, std::string>& more)>;
    /// `container`: its name, for messages.
    Command(Launcher::Exec process, std::string container, Tell tell)
        : process_(std::move(process)), container_(std::move(container)), tell_(std::move(tell)) {}
    ~Command() override;

    const std::string& failure() const override { return process_.error; }
    int pid() const override { return process_.inner_pid; }
    Fd take_terminal() override { return std::move(process_.terminal); }
    /// The command's own: its shim ends a moment later.
    int ended_fd() const override { return (process_.inner_pidfd ? process_.inner_pidfd : process_.pidfd).get(); }
    void end() override;
    int wait(std::stop_token stop) override;

private:
    int take_code();
    int reap();

    Launcher::Exec process_;
    std::string container_;
    Tell tell_;
    bool over_ = false, reaped_ = false;
};

}  // namespace kedge::runtime
