#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {

/// What somebody asks for when creating a container: plain values in Docker's terms. Empty optionals mean
/// "as the image says". Checked by Containers::create.

enum class Protocol { tcp, udp };

struct PortBinding {
    std::string host_ip;     ///< of either family; empty: every address of the host, of both
    uint16_t host_port = 0;  ///< 0: any free port, chosen at start
    uint16_t container_port = 0;
    Protocol protocol = Protocol::tcp;
    bool operator==(const PortBinding&) const = default;
};

struct Mount {
    enum class Type { bind, volume, tmpfs, image };
    Type type = Type::volume;
    /// bind: absolute host path; volume: its name, empty for an anonymous one; image: its reference
    std::string source;
    std::string target;  ///< absolute path inside the container
    bool read_only = false;
    bool no_copy = false;           ///< volume: do not take over the image's content
    bool create_host_path = false;  ///< bind: make the folder when it is missing (Docker's -v, Compose's short form)
    /// bind: a folder that others than the host's owner write into. The source lies below it and is resolved when it is
    /// mounted, with this folder as root and without symbolic links, whatever was put there meanwhile. Empty: links are
    /// followed, as Docker does.
    std::string confined_to;
    std::string propagation;                  ///< bind: rprivate when empty
    int64_t tmpfs_size = 0;                   ///< bytes; 0: no limit
    std::optional<uint32_t> tmpfs_mode = {};  ///< none: that of the folder that it covers, or 1777
    bool non_recursive = false;               ///< bind: without what is mounted below the source
    bool read_only_top = false;               ///< bind, with read_only: what is mounted below the source stays as it is
    /// volume, image: this folder or file of it alone; no link on the way to it is followed
    std::string subpath = {};
    std::map<std::string, std::string> volume_labels = {};   ///< volume: if it has to be made
    std::map<std::string, std::string> volume_options = {};  ///< volume: of the local driver, if it has to be made
    std::string image_id = {};                    ///< image: what `source` was when the container was created
    std::vector<std::string> tmpfs_options = {};  ///< tmpfs: `exec`, `uid=1000`, ... as mount(8) has them
    bool operator==(const Mount&) const = default;
};

struct RestartPolicy {
    enum class Name { no, always, on_failure, unless_stopped };
    Name name = Name::no;
    int maximum_retries = 0;  ///< on_failure only; 0: without end
    bool operator==(const RestartPolicy&) const = default;
};

/// Docker's HEALTHCHECK. test is empty (as the image says), {"NONE"}, {"CMD", arg...} or {"CMD-SHELL", command}.
/// Zero durations mean the default: interval 30 s, timeout 30 s, start period 0, start interval 5 s, retries 3.
struct Healthcheck {
    std::vector<std::string> test;
    Nanoseconds interval{0};
    Nanoseconds timeout{0};
    Nanoseconds start_period{0};
    Nanoseconds start_interval{0};
    int retries = 0;
    bool operator==(const Healthcheck&) const = default;
};

/// Limits; 0 means none.
struct Resources {
    int64_t memory = 0;       ///< bytes
    int64_t memory_swap = 0;  ///< bytes of memory and swap together; -1: unlimited swap
    int64_t memory_reservation = 0;
    int64_t nano_cpus = 0;   ///< billionths of a processor: 1.5 processors are 1500000000
    int64_t cpu_period = 0;  ///< microseconds in which cpu_quota may be used; not together with nano_cpus
    int64_t cpu_quota = 0;   ///< microseconds; -1 as 0
    int64_t cpu_shares = 0;
    std::string cpuset_cpus;
    std::string cpuset_mems;
    int64_t pids_limit = 0;
    int64_t blkio_weight = 0;  ///< 10 to 1000
    bool operator==(const Resources&) const = default;
};

/// A share or limit of a block device.
struct DeviceLimit {
    std::string path;   ///< on the host
    int64_t value = 0;  ///< a weight from 10 to 1000, bytes or operations per second
    bool operator==(const DeviceLimit&) const = default;
};

/// Limits for as long as the container lives, which an update doesn't change.
struct FixedLimits {
    std::vector<DeviceLimit> weights, read_bytes, write_bytes, read_operations, write_operations;
    int64_t swappiness = -1;        ///< 0 to 100; -1: the machine's
    bool oom_kill_disable = false;  ///< wait for memory in place of being killed
    bool operator==(const FixedLimits&) const = default;
};

/// A user-defined network that the container joins.
struct NetworkAttachment {
    std::string network;  ///< name or id
    std::vector<std::string> aliases;
    std::string ip;            ///< fixed IPv4 address; empty: the next free one
    int gateway_priority = 0;  ///< the default route leads through the network with the highest; then the first by name
    std::string mac = {};      ///< hardware address; empty: one that follows from the IPv4 address
    /// `com.docker.network.endpoint.ifname` and `.sysctls`.
    std::map<std::string, std::string> options = {};
    std::string ip6 = {};  ///< fixed IPv6 address; empty: the next free one, if the network has any
    bool operator==(const NetworkAttachment&) const = default;
};

struct Device {
    std::string host_path;
    std::string container_path;
    std::string permissions = "rwm";
    bool operator==(const Device&) const = default;
};

struct Ulimit {
    std::string name;  ///< nofile, nproc, ...
    int64_t soft = 0;
    int64_t hard = 0;
    bool operator==(const Ulimit&) const = default;
};

struct LogConfig {
    std::string driver = "json-file";            ///< json-file or none
    std::map<std::string, std::string> options;  ///< max-size, max-file, and those of log_attributes.h
    bool operator==(const LogConfig&) const = default;
};

struct ContainerSpec {
    std::string name;        ///< empty: one is generated
    std::string image;       ///< reference, or the image id (`sha256:...`)
    std::string image_name;  ///< the reference that users see in lists when `image` is an id; empty: `image`
    std::optional<std::vector<std::string>> entrypoint;
    std::optional<std::vector<std::string>> command;
    std::vector<std::string> environment;  ///< `NAME=value`, over the image's
    std::map<std::string, std::string> labels;
    std::string user;  ///< user[:group], names or numbers; empty: the image's
    std::vector<std::string> group_add;
    std::string working_dir;
    std::string hostname;  ///< empty: the first 12 digits of the id
    std::string domainname;
    std::optional<std::string> stop_signal;
    std::optional<int> stop_timeout;  ///< seconds; 10 when empty
    bool tty = false;
    bool open_stdin = false;
    bool stdin_once = false;     ///< the input ends with the first who was attached to it
    unsigned terminal_rows = 0;  ///< the terminal's first size in characters; 0: not known
    unsigned terminal_columns = 0;
    bool init = false;
    bool read_only = false;
    bool privileged = false;
    bool auto_remove = false;
    bool publish_all = false;
    std::vector<std::string> cap_add;
    std::vector<std::string> cap_drop;
    std::vector<std::string> security_opt;  ///< no-new-privileges, seccomp=unconfined, seccomp=<json>
    // Absolute paths that the container can't read, and those that it can't write; see system_paths.h for the default.
    std::optional<std::vector<std::string>> masked_paths;
    std::optional<std::vector<std::string>> readonly_paths;
    std::vector<Device> devices;
    std::vector<std::string> device_rules;  ///< further devices that may be opened: `c 42:* rmw`
    std::vector<Ulimit> ulimits;
    std::map<std::string, std::string> sysctls;
    std::vector<std::string> extra_hosts;  ///< `name:address`; `host-gateway` as address
    std::vector<std::string> dns;
    std::vector<std::string> dns_search;
    std::vector<std::string> dns_options;  ///< resolv.conf(5)
    std::vector<Mount> mounts;
    std::vector<std::string> volumes_from;  ///< `container[:ro]`: what that has of binds and volumes, below `mounts`
    std::vector<PortBinding> ports;
    std::string network_mode;  ///< empty: `networks`, or none if there are none; else `host`, `none`, `container:<id>`
    std::vector<NetworkAttachment> networks;
    std::string pid_mode;  ///< empty or `host` or `container:<id>`
    std::string ipc_mode;  ///< empty (private), `none`, `shareable`, `host` or `container:<id>` of a shareable one
    std::string uts_mode;  ///< empty or `host`
    std::string cgroup_namespace;  ///< empty (private) or `host`
    std::string cgroup_parent;     ///< the control group above the container's; empty: the agent's
    int64_t shm_size = 0;          ///< bytes; 0: 64 MiB
    int oom_score_adj = 0;
    RestartPolicy restart;
    std::optional<Healthcheck> healthcheck;
    Resources resources;
    FixedLimits fixed_limits;
    LogConfig log;
    std::map<std::string, std::string> annotations;  ///< for other programs that look at the container's bundle
    bool operator==(const ContainerSpec&) const = default;
};

/// JSON for the store and for comparison: every field, the same value gives the same text. parse throws Error.
std::string to_json_text(const ContainerSpec& spec);
ContainerSpec container_spec_from_json(const std::string& text);

}  // namespace kedge::runtime
