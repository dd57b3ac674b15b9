#pragma once

#include "runtime/containers/launcher.h"
#include "runtime/execution.h"

#include <functional>
#include <map>

namespace kedge::runtime {

/// A command in a container. Whether or not anybody waits for it, somebody else reaps it as well.
class Command final : public Execution {
public:
    /// Publishes an event of it.
    using Tell = std::function<void(const std::string& action, const std::map<std::string, std::string>& more)>;
    /// `container`: its name, for messages.
    Command(Launcher::Exec process, std::string container, Tell tell)
        : process_(std::move(process)), container_(std::move(container)), tell_(std::move(tell)) {}
    ~Command() override;

    const std::string& failure() const override { return process_.error; }
    int pid() const override { return process_.process->pid(); }
    Fd take_terminal() override { return std::move(process_.terminal); }
    int ended_fd() const override { return process_.process->pidfd().get(); }
    void end() override;
    int wait(std::stop_token stop) override;

private:
    int take_code();

    Launcher::Exec process_;
    std::string container_;
    Tell tell_;
    bool over_ = false;
};

}  // namespace kedge::runtime
