#include "sources/compose_keys.h"

#include <algorithm>

namespace kedge::sources {

namespace keys {

// Compose specification, compose-spec.json.
const KeyTable project{{"version", "name", "include", "services", "networks", "volumes", "secrets", "configs"},
                       {"models"}};

const KeyTable service{{"attach",
                        "cap_add",
                        "cap_drop",
                        "command",
                        "configs",
                        "container_name",
                        "extends",
                        "cpus",
                        "depends_on",
                        "deploy",
                        "devices",
                        "dns",
                        "dns_search",
                        "domainname",
                        "entrypoint",
                        "env_file",
                        "environment",
                        "expose",
                        "extra_hosts",
                        "group_add",
                        "healthcheck",
                        "hostname",
                        "image",
                        "init",
                        "labels",
                        "logging",
                        "mem_limit",
                        "mem_reservation",
                        "memswap_limit",
                        "network_mode",
                        "networks",
                        "pids_limit",
                        "platform",
                        "ports",
                        "privileged",
                        "profiles",
                        "pull_policy",
                        "read_only",
                        "restart",
                        "scale",
                        "secrets",
                        "security_opt",
                        "shm_size",
                        "stdin_open",
                        "stop_grace_period",
                        "stop_signal",
                        "sysctls",
                        "tmpfs",
                        "tty",
                        "ulimits",
                        "user",
                        "volumes",
                        "working_dir",
                        "x-kedge"},
                       {"annotations",
                        "blkio_config",
                        "build",
                        "cgroup",
                        "cgroup_parent",
                        "cpu_count",
                        "cpu_percent",
                        "cpu_period",
                        "cpu_quota",
                        "cpu_rt_period",
                        "cpu_rt_runtime",
                        "cpu_shares",
                        "cpuset",
                        "credential_spec",
                        "develop",
                        "device_cgroup_rules",
                        "dns_opt",
                        "external_links",
                        "gpus",
                        "ipc",
                        "isolation",
                        "label_file",
                        "links",
                        "mac_address",
                        "mem_swappiness",
                        "models",
                        "oom_kill_disable",
                        "oom_score_adj",
                        "pid",
                        "post_start",
                        "pre_start",
                        "pre_stop",
                        "provider",
                        "pull_refresh_after",
                        "runtime",
                        "storage_opt",
                        "use_api_socket",
                        "userns_mode",
                        "uts",
                        "volumes_from"}};

const KeyTable network{{"name", "external", "internal", "driver", "driver_opts", "enable_ipv4", "enable_ipv6", "ipam",
                        "labels", "attachable"},
                       {}};
const KeyTable ipam{{"driver", "config"}, {"options"}};
const KeyTable ipam_config{{"subnet", "gateway", "ip_range", "aux_addresses"}, {}};
const KeyTable volume{{"name", "external", "driver", "driver_opts", "labels"}, {}};
const KeyTable secret{{"file", "environment", "external", "name"},
                      {"driver", "driver_opts", "labels", "template_driver"}};
const KeyTable config{{"file", "environment", "content", "external", "name"}, {"labels", "template_driver"}};

const KeyTable port{{"name", "mode", "host_ip", "target", "published", "protocol", "app_protocol"}, {}};
const KeyTable mount{{"type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"}, {"image"}};
const KeyTable mount_bind{{"propagation", "create_host_path", "selinux"}, {"recursive"}};
const KeyTable mount_volume{{"nocopy"}, {"subpath", "labels"}};
const KeyTable mount_tmpfs{{"size", "mode"}, {}};
const KeyTable network_use{{"aliases", "ipv4_address", "ipv6_address", "priority", "gw_priority", "mac_address",
                            "interface_name", "driver_opts"},
                           {"link_local_ips"}};
const KeyTable dependency{{"condition", "restart", "required"}, {}};
const KeyTable healthcheck{{"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"}, {}};
const KeyTable logging{{"driver", "options"}, {}};
const KeyTable ulimit{{"soft", "hard"}, {}};
const KeyTable file_use{{"source", "target", "uid", "gid", "mode"}, {}};
const KeyTable env_file{{"path", "required", "format"}, {}};
const KeyTable extends{{"service", "file"}, {}};
const KeyTable include{{"path", "project_directory", "env_file"}, {}};
const KeyTable device{{"source", "target", "permissions"}, {}};

const KeyTable deploy{{"mode", "replicas", "labels", "update_config", "rollback_config", "resources", "restart_policy"},
                      {"endpoint_mode", "placement"}};
const KeyTable deploy_resources{{"limits", "reservations"}, {}};
const KeyTable deploy_limits{{"cpus", "memory", "pids"}, {"devices", "generic_resources"}};
const KeyTable deploy_reservations{{"memory"}, {"cpus", "pids", "devices", "generic_resources"}};
const KeyTable deploy_restart{{"condition", "max_attempts"}, {"delay", "window"}};
const KeyTable deploy_update{{"parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order"}, {}};
// Going back is neither judged nor given up.
const KeyTable deploy_rollback{{"parallelism", "delay", "order"}, {"failure_action", "monitor", "max_failure_ratio"}};

const KeyTable kedge{{"probe"}, {}};
const KeyTable kedge_probe{{"http", "tcp"}, {}};
const KeyTable kedge_http{{"port", "path", "status", "headers"}, {}};

}  // namespace keys

void check_keys(const yaml::Node& node, const KeyTable& table) {
    if (!node.is_map()) yaml::fail(node, "must be a mapping");
    auto in = [](const auto& list, const std::string& key) {
        return std::find(list.begin(), list.end(), key) != list.end();
    };
    for (const auto& [key, value] : node.entries) {
        if (in(table.supported, key) || (key.starts_with("x-") && key != "x-kedge")) continue;
        if (in(table.later, key)) yaml::fail(value, "is not supported yet");
        yaml::fail(value, "unknown key");
    }
}

}  // namespace kedge::sources
