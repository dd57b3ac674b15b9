#pragma once

#include "api/http.h"
#include "runtime/containers.h"

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace kedge::api {

/// Runs a command in a container with its output as frames to `writer`, and what `input` sends as its standard input
/// (nullptr: none). Returns the exit code once all its output is written. Throws Error.
int run_exec(runtime::Containers& containers, const std::string& id, const runtime::ExecSpec& spec, Writer& writer,
             Duplex* input, std::stop_token stop);

/// Docker's exec instances: made first, started later, asked about afterwards. The newest are remembered. Thread-safe.
class Execs {
public:
    struct Exec {
        std::string id;
        std::string container;  ///< full id
        runtime::ExecSpec spec;
        bool attach_in = false, attach_out = false, attach_err = false;
        bool started = false;
        bool running = false;
        std::optional<int> exit_code;
    };

    explicit Execs(runtime::Containers& containers) : containers_(containers) {}

    std::string add(Exec exec);
    Exec get(const std::string& id) const;  ///< Error not_found
    /// Marks it as running; Error conflict if it was started already.
    Exec begin(const std::string& id);
    void finish(const std::string& id, int exit_code);
    /// Runs one that was begun, with no streams, on a thread of its own.
    void run_detached(const Exec& exec);

private:
    static constexpr size_t kKept = 256;
    Exec& find(const std::string& id);

    runtime::Containers& containers_;
    mutable std::mutex mutex_;
    std::list<Exec> execs_;  ///< newest last
    std::map<std::string, std::jthread> detached_;
};

}  // namespace kedge::api
