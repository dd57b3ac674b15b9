#pragma once

#include "agent/config.h"

#include <csignal>
#include <memory>

namespace kedge::agent {

/// The umask, and as many open files as the hard limit allows: a connection and a log take descriptors per container.
void prepare_process();

/// Everything that a running agent is, made in order and taken down in reverse. Containers go on running.
class Agent {
public:
    explicit Agent(const Config& config);
    ~Agent();

    /// Tells systemd that it is ready, and returns at SIGTERM or SIGINT; SIGHUP wakes all sources. The signals are
    /// blocked already.
    void serve_until_signalled(const sigset_t& signals);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace kedge::agent
