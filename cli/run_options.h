#pragma once

#include "cli/command_line.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kedge::cli {

/// The flags of `run` and `create`, as they were typed. Empty means that the flag wasn't given.
struct RunOptions {
    std::string image;
    std::vector<std::string> command;

    // how the command itself goes about it
    bool detach = false, remove = false, quiet = false, interactive = false, tty = false, sig_proxy = true;
    std::string name, platform, cid_file, detach_keys, pull = "missing";
    std::vector<std::string> attach;

    // the process
    std::optional<std::string> entrypoint;
    std::vector<std::string> variables, variable_files, groups;
    std::string user, working_dir, stop_signal;
    std::optional<int> stop_timeout;
    bool init = false;

    // what it is called and labelled
    std::string hostname, domain_name;
    std::vector<std::string> labels, label_files, annotations;

    // its files
    std::vector<std::string> volumes, mounts, tmpfs, volumes_from, storage_options;
    std::string volume_driver;
    bool read_only = false;

    // its networks
    std::vector<std::string> publish, expose, networks, network_aliases, dns, dns_search, dns_options, extra_hosts,
        links;
    std::string ip, ip6, mac_address;
    bool publish_all = false;

    // its rights
    std::vector<std::string> cap_add, cap_drop, security_opt, devices, device_rules, sysctls;
    bool privileged = false;
    std::string pid, ipc, uts, users, cgroup_namespace, cgroup_parent, gpus, isolation, runtime;

    // its limits
    std::string memory, memory_swap, memory_reservation, shm_size, cpus, cpuset_cpus, cpuset_mems;
    std::optional<int64_t> cpu_shares, cpu_quota, cpu_period, pids_limit, blkio_weight;
    std::optional<int64_t> swappiness;
    std::optional<int> oom_score_adj;
    bool oom_kill_disable = false;
    std::vector<std::string> device_weights, device_read_bytes, device_write_bytes, device_read_operations,
        device_write_operations;
    std::vector<std::string> ulimits;

    // its life
    std::string restart;
    std::string health_command, health_interval, health_timeout, health_start_period, health_start_interval;
    std::optional<int> health_retries;
    bool no_healthcheck = false;
    std::string log_driver;
    std::vector<std::string> log_options;
};

/// Limits that `update` can change too.
void add_changeable_limit_flags(CommandLine line, RunOptions& options);
/// Flags of both; `run` has some more.
void add_create_flags(CommandLine line, RunOptions& options);
void add_run_flags(CommandLine line, RunOptions& options);
/// Takes the image and the command that followed the flags.
void take_words(CommandLine line, RunOptions& options);

/// What flags refer to outside the command line.
struct Outside {
    std::function<std::optional<std::string>(const std::string& name)> variable;  ///< of this process' environment
    std::function<std::string(const std::string& path)> file;                     ///< its content; throws Error
    std::string folder;                                                           ///< that relative paths start from
};
/// The real one.
Outside outside();

/// The body of Docker's POST /containers/create. Throws Error in Docker's words for flags that are wrong or contradict
/// each other.
nlohmann::json container_body(const RunOptions& options, const Outside& outside);
/// Which of the container's streams are to be attached: those of -a, or all unless it is detached. Error for an -a that
/// is no stream.
struct Attach {
    bool in = false, out = false, err = false;
};
Attach attached_streams(const RunOptions& options);
/// Flags that only matter to a `run`: Error if they contradict each other.
void check_run(const RunOptions& options);

}  // namespace kedge::cli
