#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kedge::sources {

/// Desired state as plain values: one Compose project after loading, merging and interpolation
/// (Compose specification). Nothing of YAML or Git is left. Names follow the specification's keys.

struct Port {
    std::string host_ip;
    uint16_t published = 0;  ///< 0: any free port
    /// More than `published`: any free port of published..published_last (`8000-8010:80`; replica n takes the n-th). 0:
    /// only `published`.
    uint16_t published_last = 0;
    uint16_t target = 0;
    std::string protocol = "tcp";  ///< tcp or udp
    bool operator==(const Port&) const = default;
};

struct VolumeMount {
    std::string type;    ///< volume, bind, tmpfs
    std::string source;  ///< volume: key under `volumes`, empty for anonymous; bind: absolute path on the host
    std::string target;
    bool read_only = false;
    bool no_copy = false;
    bool create_host_path = false;
    std::string propagation;
    int64_t tmpfs_size = 0;
    uint32_t tmpfs_mode = 01777;
    /// bind of something from the repository's tree: digest of its content (a file's bytes and mode, a folder's whole
    /// tree); empty if the path is outside the tree. Enters the service's configuration hash.
    std::string content_digest;
    /// Set where the usual mode is asked for in so many words; without it, that is the covered folder's.
    std::optional<bool> tmpfs_mode_given = {};
    bool operator==(const VolumeMount&) const = default;
};

struct NetworkUse {
    std::string network;  ///< key under `networks`
    std::vector<std::string> aliases;
    std::string ipv4_address;
    int priority = 0;
    std::string ipv6_address = {};
    std::string mac_address = {};
    std::string interface_name = {};  ///< inside; empty: eth0 and so on
    std::map<std::string, std::string> driver_opts = {};
    std::optional<int> gw_priority = {};  ///< if a service says any: the highest is the way out, in place of `priority`
    bool operator==(const NetworkUse&) const = default;
};

struct Dependency {
    std::string service;
    std::string condition = "service_started";  ///< service_started, service_healthy, service_completed_successfully
    bool restart = false;
    bool required = true;
    bool operator==(const Dependency&) const = default;
};

struct Healthcheck {
    std::vector<std::string> test;  ///< as runtime::Healthcheck
    Nanoseconds interval{0}, timeout{0}, start_period{0}, start_interval{0};
    int retries = 0;
    bool disable = false;
    bool operator==(const Healthcheck&) const = default;
};

/// `x-kedge: {probe: {http: ..., tcp: ...}}` of a service.
struct Probe {
    std::string kind;  ///< http or tcp
    uint16_t port = 0;
    std::string path = "/";
    int status_from = 200, status_to = 399;
    std::map<std::string, std::string> headers;
    bool operator==(const Probe&) const = default;
};

/// A secret or config given to a service.
struct FileUse {
    std::string source;  ///< key under `secrets` or `configs`
    std::string target;  ///< absolute path in the container
    std::string uid, gid;
    std::optional<uint32_t> mode;
    bool operator==(const FileUse&) const = default;
};

/// deploy.update_config and deploy.rollback_config.
struct UpdateConfig {
    int parallelism = 1;  ///< 0: all at once
    Nanoseconds delay{0};
    std::string failure_action;  ///< update: rollback (kedge's default), pause, continue; rollback: pause, continue
    Nanoseconds monitor{0};      ///< 0: the agent's policy
    double max_failure_ratio = 0;
    std::string order = "stop-first";  ///< or start-first
    bool operator==(const UpdateConfig&) const = default;
};

struct Ulimit {
    std::string name;
    int64_t soft = 0, hard = 0;
    bool operator==(const Ulimit&) const = default;
};

struct Service {
    std::string name;
    std::string image;
    std::optional<std::vector<std::string>> command;
    std::optional<std::vector<std::string>> entrypoint;
    std::map<std::string, std::string> environment;  ///< env_file merged in
    std::vector<Port> ports;
    std::vector<VolumeMount> volumes;
    std::vector<NetworkUse> networks;  ///< `default` if none was named
    std::string network_mode;          ///< none, host, service:<name>, container:<name>; empty: networks
    std::vector<Dependency> depends_on;
    std::optional<Healthcheck> healthcheck;
    std::optional<Probe> probe;
    std::string restart;  ///< no, always, on-failure[:n], unless-stopped
    std::map<std::string, std::string> labels;
    std::string user, working_dir, hostname, domainname, container_name;
    std::string stop_signal;
    std::optional<Nanoseconds> stop_grace_period;
    bool read_only = false, init = false, privileged = false, tty = false, stdin_open = false;
    std::vector<std::string> tmpfs;  ///< path[:options]
    std::vector<std::string> cap_add, cap_drop, security_opt, extra_hosts, group_add, dns, dns_search, devices;
    std::map<std::string, std::string> sysctls;
    std::vector<Ulimit> ulimits;
    int64_t mem_limit = 0, memswap_limit = 0, mem_reservation = 0, shm_size = 0;  ///< bytes; deploy.resources merged in
    double cpus = 0;
    int64_t pids_limit = 0;
    std::string pull_policy;  ///< always, never, missing (also if_not_present), empty: missing
    std::string platform;
    std::map<std::string, std::string> logging_options;
    std::string logging_driver;
    std::vector<FileUse> secrets, configs;
    int replicas = 1;
    UpdateConfig update_config;
    UpdateConfig rollback_config;
    bool operator==(const Service&) const = default;
};

struct Network {
    std::string key;
    std::string name;  ///< full: `<project>_<key>` unless given
    bool external = false;
    bool internal = false;
    std::string driver;
    std::string subnet, gateway;
    std::map<std::string, std::string> labels, driver_opts;
    bool enable_ipv6 = false;
    std::string subnet6 = {}, gateway6 = {};  ///< of IPv6
    bool enable_ipv4 = true, attachable = false;
    std::string ip_range = {}, ip_range6 = {};
    std::map<std::string, std::string> aux_addresses = {}, aux_addresses6 = {};  ///< name: address of no container
    bool operator==(const Network&) const = default;
};

struct Volume {
    std::string key;
    std::string name;
    bool external = false;
    std::string driver;
    std::map<std::string, std::string> labels, driver_opts;
    bool operator==(const Volume&) const = default;
};

/// A secret or config: from a file of the tree or host, from the environment, or inline (`content`, configs only).
struct FileSource {
    std::string key;
    std::string path;  ///< absolute; empty if `content` holds it
    std::string content;
    std::string content_digest;  ///< of the bytes; enters the hash of the services that use it
    bool operator==(const FileSource&) const = default;
};

struct Project {
    std::string name;
    std::string directory;                    ///< absolute: where the first compose file is
    std::vector<std::string> files;           ///< absolute
    std::map<std::string, Service> services;  ///< those of the active profiles
    std::map<std::string, Network> networks;
    std::map<std::string, Volume> volumes;
    std::map<std::string, FileSource> secrets, configs;
    /// What loading found worth saying, for people (`the "TAG" variable is not set`). Neither compared nor in the JSON.
    std::vector<std::string> warnings;

    bool operator==(const Project& other) const {
        return name == other.name && directory == other.directory && files == other.files &&
               services == other.services && networks == other.networks && volumes == other.volumes &&
               secrets == other.secrets && configs == other.configs;
    }
};

/// JSON for keeping a project with its release. parse throws Error.
std::string to_json_text(const Project& project);
/// JSON for hashing: the same value gives the same text. What has its default is left out, so that a later kedge that
/// knows another key gives the same text for what doesn't use it.
std::string canonical_text(const Project& project);
std::string canonical_text(const Service& service);
Project project_from_json(const std::string& text);

}  // namespace kedge::sources
