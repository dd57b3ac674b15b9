#pragma once

#include "base/fd.h"

#include <stop_token>
#include <string>
#include <vector>

namespace kedge::runtime {

struct ExecSpec {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  ///< over the container's
    std::string user;                      ///< empty: the container's
    std::string working_dir;
    bool privileged = false;
    bool tty = false;   ///< with a terminal of its own
    unsigned rows = 0;  ///< its size in characters; 0: not known yet
    unsigned columns = 0;
};

/// A command that was begun in a container. If nobody has waited for its end when this is destroyed, it is ended. For
/// one thread.
class Execution {
public:
    virtual ~Execution() = default;
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    virtual const std::string& failure() const = 0;  ///< why nothing could be executed, in Docker's words; empty: it is
    virtual int pid() const = 0;                     ///< in the host's namespace
    virtual Fd take_terminal() = 0;                  ///< its terminal, non-blocking; empty if it has none
    virtual int ended_fd() const = 0;                ///< for poll: readable once it has ended; owned by this
    virtual void end() = 0;                          ///< kills it and all that it started
    virtual int wait(
        std::stop_token stop = {}) = 0;  ///< its exit code. Once `stop` is requested: end(), Error cancelled

protected:
    Execution() = default;
};

struct ExecResult {
    int exit_code = 0;  ///< 126 and 127 as Docker's; 128 + signal if killed
    bool timed_out = false;
    std::string output;  ///< standard output and error together, cut at output_limit
    std::string error;   ///< why nothing was executed, in Docker's words; empty if something was
};

}  // namespace kedge::runtime
