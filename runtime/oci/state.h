#pragma once

#include "base/fd.h"
#include "runtime/containers/cgroups.h"
#include "runtime/containers/launcher.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>
#include <vector>

namespace kedge::oci {

constexpr const char* kSpecVersion = "1.3.0";  ///< of runtime-spec

/// What is kept of a container between two calls: <root>/<id>/state.json.
struct State {
    std::string id;
    std::string bundle;
    std::string root;  ///< the folder with its file system
    std::map<std::string, std::string> annotations;
    std::string created;         ///< RFC 3339
    runtime::ProcessId creator;  ///< who makes it; nobody once it is made
    runtime::ProcessId init;     ///< its first process
    std::string program;         ///< of kedge-shim, device and inode: what the first process is until it starts
    std::string cgroup;
    bool cgroup_was_there = false;
    std::vector<std::string> made_parents;  ///< of the cgroup, the nearest first
};

enum class Status { creating, created, running, paused, stopped };
const char* to_string(Status status);

/// The folder of one container. Everything in it is written whole or not at all.
class StateFolder {
public:
    /// Error conflict if there is one already.
    static StateFolder make(const std::string& root, const std::string& id);
    /// Error not_found: `container does not exist`.
    static StateFolder open(const std::string& root, const std::string& id);
    /// Of every container below the root.
    static std::vector<std::string> ids(const std::string& root);

    /// Until this is gone nobody else changes the container. Error not_found if it was removed meanwhile.
    void lock() const;

    State load() const;
    void save(const State& state) const;
    /// The configuration of the container as it was when it was made.
    std::string config() const;
    void save_config(const std::string& text) const;

    /// Where the first process waits for its start, and the way to it. Error if it doesn't wait any more.
    Fd listen() const;
    Fd connect() const;
    void forget_listener() const;

    void remove() const;

private:
    StateFolder(std::string root, std::string id, Fd folder)
        : root_(std::move(root)), id_(std::move(id)), folder_(std::move(folder)) {}

    std::string root_, id_;
    Fd folder_;
};

/// What the container does now.
Status status_of(const State& state, const runtime::Cgroups& cgroups);

/// As runtime-spec, runtime.md, "State", has it. `pid` as whoever reads it sees it.
nlohmann::json state_json(const State& state, Status status, int pid);

/// Error for what can't be the id of a container.
void check_id(const std::string& id);

/// Device and inode of a file as State::program has them; empty if there is none.
std::string file_identity(const std::string& path);

}  // namespace kedge::oci
