#pragma once

#include "api/http.h"
#include "base/fd.h"
#include "runtime/containers.h"

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace kedge::api {

/// Docker's exec instances: made first, started later, asked about afterwards. The newest are remembered. Thread-safe.
class Execs {
public:
    struct Exec {
        std::string id;
        std::string container;  ///< full id
        runtime::ExecSpec spec;
        bool attach_in = false, attach_out = false, attach_err = false;
        std::string detach_keys;
        bool framed = false;  ///< a terminal's output goes out in frames as well
        bool started = false;
        bool running = false;
        int pid = 0;                         ///< in the host's namespace, once it executes
        std::shared_ptr<const Fd> terminal;  ///< of one that runs
        std::optional<int> exit_code;
    };

    explicit Execs(runtime::Containers& containers) : containers_(containers) {}

    std::string add(Exec exec);
    Exec get(const std::string& id) const;  ///< Error not_found
    /// Marks it as running; Error conflict if it was started already.
    Exec begin(const std::string& id);
    /// Runs one that was begun with the client's streams, to its end. Once the client has pressed the detach keys, it
    /// runs on without them. `ended` is called with its exit code, at once. Throws Error.
    void run_attached(const Exec& exec, Duplex& client, std::stop_token stop, const std::function<void(int)>& ended);
    void finish(const std::string& id, int exit_code);
    /// One that was begun doesn't run after all. Nothing happens if it has finished.
    void abandon(const std::string& id);
    /// Error conflict if it isn't running; without a terminal nothing happens.
    void resize(const std::string& id, unsigned rows, unsigned columns);
    /// Runs one that was begun, with no streams, on a thread of its own.
    void run_detached(const Exec& exec);

private:
    static constexpr size_t kKept = 256;
    Exec& find(const std::string& id);
    int run_without_client(Exec exec, std::stop_token stop);
    void set_started(const std::string& id, int pid, std::shared_ptr<const Fd> terminal);

    runtime::Containers& containers_;
    mutable std::mutex mutex_;
    std::list<Exec> execs_;  ///< newest last
    std::map<std::string, std::jthread> detached_;
};

}  // namespace kedge::api
