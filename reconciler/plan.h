#pragma once

#include "base/digest.h"
#include "runtime/containers.h"
#include "runtime/networks.h"
#include "runtime/volumes.h"
#include "sources/project.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace kedge::reconciler {

/// What a release wants: the rendered project, and for each service the image it resolved to when the release was
/// fetched.
struct Target {
    sources::Project project;
    std::map<std::string, Digest> images;  ///< by service: the config's digest
    std::string commit;                    ///< whose tree the binds point into; empty for a folder
    int64_t release =
        0;              ///< its number, which the containers made for it carry as a label; 0: nothing was ever released
    std::string files;  ///< absolute: the folder with the bytes of secrets and configs, by file_name() of render.h
    bool operator==(const Target&) const = default;
};

/// A container of the project as it is now.
struct ObservedContainer {
    runtime::ContainerInfo info;
    std::string service;
    int number = 1;
    std::string config_hash;
    bool retired = false;  ///< replaced by the release in progress and kept, stopped, for going back
};

/// Everything of a project that is on the machine now.
struct Observed {
    std::vector<ObservedContainer> containers;
    std::vector<runtime::NetworkInfo> networks;
    std::vector<runtime::VolumeInfo> volumes;
};

/// What earlier releases say about this one.
struct History {
    bool going_back =
        false;  ///< the target is an earlier good release: retired containers are restored, rollback_config holds
    std::map<std::string, std::string> retired_names;  ///< retired container id -> the name it had
    std::set<std::string>
        stopped;  ///< ids that kedge itself stopped for the release in progress; they are started again
    bool repairing =
        false;  ///< no new release: what ended by itself and isn't meant to be started again stays as it is
};

struct Policy {
    enum class Drift { revert, report };
    Drift drift = Drift::revert;
    bool prune = true;  ///< remove containers of services that are no longer in the project
    Nanoseconds monitor = std::chrono::seconds(10);  ///< monitor time where update_config says nothing
    int kept_releases = 5;
    bool allow_privileged = false;
    std::vector<std::string> allowed_binds;  ///< host folders outside the tree that may be mounted; `/` allows all
    Nanoseconds dependency_timeout = std::chrono::minutes(5);
};

// The steps. Each is idempotent: done twice it does nothing the second time.
struct CreateNetwork {
    runtime::NetworkSpec spec;
};
struct RemoveNetwork {
    std::string name;
};
struct CreateVolume {
    runtime::VolumeSpec spec;
};
struct CreateContainer {
    std::string service;
    int number;
    runtime::ContainerSpec spec;
};
struct StartContainer {
    std::string service;
    int number;
    std::string name;
    bool publish_ports = true;
};
/// The container is renamed out of the way and, unless it runs on until its successor has taken over, stopped; it stays
/// for going back.
struct RetireContainer {
    std::string service;
    std::string id;
    std::string new_name;
    bool stop = true;
};
/// A retired container gets its name back.
struct RestoreContainer {
    std::string service;
    std::string id;
    std::string name;
};
struct MovePorts {
    std::string service;
    std::string from;
    std::string to_name;
};
struct StopContainer {
    std::string service;
    std::string id;
};
/// A paused container goes on.
struct ResumeContainer {
    std::string service;
    std::string id;
};
/// Limits and restart policy are again what the service says, in a container that runs on.
struct UpdateContainer {
    std::string service;
    std::string id;
    runtime::Resources resources;
    runtime::RestartPolicy restart;
};
struct RemoveContainer {
    std::string service;
    std::string id;
};
/// A condition of depends_on, or `ready`: healthy where there is a probe, else running.
struct WaitFor {
    std::string service;
    std::string condition;
    int number = 0;        ///< this container only; 0: every one of the service
    Nanoseconds delay{0};  ///< and then this long: update_config.delay
    bool required = true;  ///< false: goes on all the same when it fails
};

using Action = std::variant<CreateNetwork, RemoveNetwork, CreateVolume, CreateContainer, StartContainer,
                            RetireContainer, RestoreContainer, MovePorts, StopContainer, ResumeContainer,
                            UpdateContainer, RemoveContainer, WaitFor>;

struct Step {
    Action action;
    std::string reason;  ///< `image changed from sha256:1234… to sha256:5678…`, `removed from the project`, `was
                         ///< stopped by hand`
};

struct Plan {
    std::vector<Step> steps;
    bool empty() const { return steps.empty(); }
};

/// The steps that lead from what is observed to the target. Pure: no clock, no I/O, no log. Planning again after they
/// were carried out gives an empty plan.
Plan plan(const Target& target, const Observed& observed, const History& history, const Policy& policy);

/// The same with the services' configuration hashes at hand (config_hashes()), for who plans the same target often.
Plan plan(const Target& target, const std::map<std::string, std::string>& hashes, const Observed& observed,
          const History& history, const Policy& policy);

/// What is left to do when the target proved good: retired containers go, and networks of the project that nothing
/// wants any more.
Plan cleanup(const Target& target, const Observed& observed, const History& history);

/// `create container shop-web-1`: what a step does, for people.
std::string describe(const Action& action);
/// The step's name for programs: `create_container`.
std::string kind(const Action& action);

}  // namespace kedge::reconciler
