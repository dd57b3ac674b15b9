#include "runtime/containers/container_check.h"

#include "base/error.h"
#include "runtime/containers/bind_source.h"
#include "runtime/containers/launch_build.h"
#include "runtime/containers/resolve.h"
#include "runtime/containers/resource_check.h"
#include "runtime/containers/signals.h"
#include "runtime/containers/tmpfs_options.h"
#include "runtime/log_attributes.h"
#include "runtime/networks.h"
#include "runtime/networks/endpoint_options.h"
#include "runtime/networks/ipv6.h"
#include "runtime/volumes/volume_store.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace kedge::runtime {

namespace {

template <typename... Arguments>
[[noreturn]] void refuse(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    throw Error(Code::invalid_argument, fmt::format(text, std::forward<Arguments>(arguments)...));
}

bool is_address(const std::string& text) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

bool has_zero(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

void check_texts(const ContainerSpec& spec) {
    auto check = [](const char* what, const std::string& text) {
        if (has_zero(text)) refuse("{} contains a zero byte", what);
    };
    for (const auto& list : {spec.entrypoint, spec.command}) {
        if (!list) continue;
        for (const auto& argument : *list) check("argument", argument);
    }
    for (const auto& variable : spec.environment) {
        check("environment variable", variable);
        if (variable.empty() || variable[0] == '=') refuse("invalid environment variable: {}", variable);
    }
    for (const std::string* text : {&spec.user, &spec.working_dir, &spec.hostname, &spec.domainname})
        check("text", *text);
    if (!spec.working_dir.empty() && spec.working_dir[0] != '/') {
        refuse("the working directory '{}' is invalid, it needs to be an absolute path", spec.working_dir);
    }
    for (const std::string* name : {&spec.hostname, &spec.domainname}) {
        if (name->size() > 64 ||
            std::any_of(name->begin(), name->end(), [](unsigned char c) { return std::isspace(c) || c < 32; })) {
            refuse("invalid hostname format: {}", *name);
        }
    }
    if (spec.stop_signal && !spec.stop_signal->empty()) (void)signal_number(*spec.stop_signal);
}

void check_subpath(const Mount& mount) {
    const std::string& path = mount.subpath;
    if (path.empty()) return;
    if (mount.source.empty()) refuse("must not set Subpath when using anonymous volumes");
    const std::string whole = "/" + path + "/";
    const bool leads_out = has_zero(path) || path[0] == '/' || whole.find("/../") != std::string::npos;
    if (leads_out && mount.type == Mount::Type::image)
        refuse("invalid mount config for type \"image\": subpath must be a relative path within the volume");
    if (leads_out) refuse("subpath must be a relative path within the volume: {}", path);
}

void check_mount(const Mount& mount) {
    if (has_zero(mount.source) || has_zero(mount.target)) refuse("mount path contains a zero byte");
    if (mount.target.empty()) refuse("invalid mount config: field Target must not be empty");
    if (mount.target[0] != '/') refuse("invalid mount path: '{}' mount path must be absolute", mount.target);
    if (clean_path(mount.target) == "/")
        refuse("invalid mount config: invalid specification: destination can't be '/'");
    switch (mount.type) {
        case Mount::Type::volume:
            if (!mount.source.empty()) VolumeStore::check_name(mount.source);
            check_subpath(mount);
            break;
        case Mount::Type::image:
            if (mount.source.empty()) refuse("invalid mount config for type \"image\": field Source must not be empty");
            check_subpath(mount);
            break;
        case Mount::Type::tmpfs:
            (void)tmpfs_options(mount);
            if (mount.tmpfs_size < 0) refuse("invalid mount config for type \"tmpfs\": size must not be negative");
            if (!mount.source.empty())
                refuse("invalid mount config for type \"tmpfs\": field Source must not be specified");
            break;
        case Mount::Type::bind: {
            if (mount.source.empty()) refuse("invalid mount config for type \"bind\": field Source must not be empty");
            if (mount.source[0] != '/') refuse("invalid mount path: '{}' mount path must be absolute", mount.source);
            static const std::set<std::string> modes = {"",       "private", "rprivate", "slave",
                                                        "rslave", "shared",  "rshared"};
            if (!modes.contains(mount.propagation)) refuse("invalid propagation mode: {}", mount.propagation);
            if (mount.read_only_top && !mount.read_only)
                refuse("invalid mount config for type \"bind\": ReadOnlyNonRecursive needs ReadOnly");
            check_confinement(mount);
            if (!mount.create_host_path && !bind_source_exists(mount)) {
                refuse("invalid mount config for type \"bind\": bind source path does not exist: {}", mount.source);
            }
            break;
        }
    }
}

void check_mounts(const ContainerSpec& spec) {
    std::set<std::string> targets;
    for (const Mount& mount : spec.mounts) {
        check_mount(mount);
        if (!targets.insert(clean_path(mount.target)).second) refuse("Duplicate mount point: {}", mount.target);
    }
}

void check_system_paths(const ContainerSpec& spec) {
    for (const auto& [what, paths] : {std::pair{"masked", &spec.masked_paths}, {"read-only", &spec.readonly_paths}}) {
        if (!*paths) continue;
        for (const std::string& path : **paths) {
            if (path.empty() || path[0] != '/' || has_zero(path))
                refuse("invalid {} path: '{}' must be an absolute path", what, path.substr(0, path.find('\0')));
            if (clean_path(path) == "/") refuse("invalid {} path: '{}' is all of the container's files", what, path);
        }
    }
}

void check_sizes(const ContainerSpec& spec) {
    if (spec.shm_size < 0) refuse("SHM size can not be less than 0");
    if (spec.oom_score_adj < -1000 || spec.oom_score_adj > 1000) {
        refuse("Invalid value {}, range for oom score adj is [-1000, 1000]", spec.oom_score_adj);
    }
}

void check_network(const ContainerSpec& spec) {
    const std::string& mode = spec.network_mode;
    bool joins = !container_of_mode(mode).empty();
    bool known = mode.empty() || mode == "host" || mode == "none" || mode == "default" || mode == "bridge" || joins;
    if (!known) refuse("invalid network mode: {}", mode);
    if (!mode.empty() && !spec.networks.empty()) refuse("conflicting options: network mode {} and networks", mode);
    if (joins && !spec.hostname.empty()) refuse("conflicting options: hostname and the network mode");
    if (joins && (!spec.dns.empty() || !spec.dns_search.empty() || !spec.dns_options.empty()))
        refuse("conflicting options: dns and the network mode");
    if (joins && !spec.extra_hosts.empty())
        refuse("conflicting options: custom host-to-IP mapping and the network mode");
    if (joins && !spec.ports.empty())
        refuse("conflicting options: port publishing and the container type network mode");
    std::set<std::string> names;
    for (const NetworkAttachment& network : spec.networks) {
        if (network.network.empty()) refuse("network name must not be empty");
        if (!names.insert(network.network).second) refuse("network {} is given twice", network.network);
        check_endpoint(network);
    }
    if (mode.empty() && spec.networks.empty() && !spec.ports.empty())
        refuse("ports can't be published without a network");
    for (const PortBinding& port : spec.ports) {
        if (port.container_port == 0) refuse("invalid containerPort: 0");
        if (!port.host_ip.empty() && !is_address(port.host_ip)) refuse("Invalid ip address: {}", port.host_ip);
    }
    for (const std::string& address : spec.dns) {
        if (!is_address(address)) refuse("{} is not an ip address", address);
    }
    for (const auto* words : {&spec.dns_search, &spec.dns_options}) {
        for (const std::string& word : *words) {
            if (word.empty() ||
                std::any_of(word.begin(), word.end(), [](unsigned char c) { return c <= ' ' || c == 127; }))
                refuse("invalid word for resolv.conf: \"{}\"", word);
        }
    }
    const bool default_network = spec.networks.size() == 1 && spec.networks[0].network == kDefaultNetwork;
    if (!spec.networks.empty() && !default_network) check_dns_of_networks(spec.dns);
    for (const std::string& host : spec.extra_hosts) {
        size_t colon = host.find(':');
        if (colon == std::string::npos || colon == 0) refuse("bad format for add-host: \"{}\"", host);
        std::string address = host.substr(colon + 1);
        if (address != "host-gateway" && !is_address(address))
            refuse("invalid IP address in add-host: \"{}\"", address);
        if (std::any_of(host.begin(), host.end(), [](unsigned char c) { return c <= ' '; }))
            refuse("bad format for add-host: \"{}\"", host);
    }
}

bool is_size(const std::string& text) {
    size_t digits = 0;
    while (digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits]))) ++digits;
    std::string unit = text.substr(digits);
    static const std::set<std::string> units = {"",   "b", "k", "m", "g",  "kb", "mb",
                                                "gb", "K", "M", "G", "KB", "MB", "GB"};
    return digits > 0 && digits < 15 && units.contains(unit);
}

void check_log(const LogConfig& log) {
    if (log.driver != "json-file" && log.driver != "none")
        refuse("error looking up logging plugin {0}: plugin \"{0}\" not found", log.driver);
    for (const auto& [key, value] : log.options) {
        const bool known = key == "max-size" || key == "max-file" || check_log_attribute(key, value);
        if (log.driver == "none" || !known) refuse("unknown log opt '{}' for {} log driver", key, log.driver);
        if (key == "max-size" && !is_size(value)) refuse("invalid value for max-size: \"{}\"", value);
        bool is_count = !value.empty() && value.size() < 5 &&
                        std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c); });
        if (key == "max-file" && (!is_count || std::stoi(value) < 1)) refuse("max-file cannot be less than 1");
    }
}

void check_health(const Healthcheck& check) {
    auto duration = [](const char* what, Nanoseconds value) {
        if (value.count() != 0 && value < std::chrono::milliseconds(1))
            refuse("{} in Healthcheck cannot be less than 1ms", what);
    };
    duration("Interval", check.interval);
    duration("Timeout", check.timeout);
    duration("StartPeriod", check.start_period);
    duration("StartInterval", check.start_interval);
    if (check.retries < 0) refuse("Retries in Healthcheck cannot be negative");
    if (check.test.empty()) return;
    const std::string& kind = check.test[0];
    if (kind != "NONE" && kind != "CMD" && kind != "CMD-SHELL")
        refuse("Unknown healthcheck type '{}' (expected 'CMD')", kind);
    if (kind == "CMD" && check.test.size() < 2) refuse("healthcheck CMD needs a command");
    if (kind == "CMD-SHELL" && check.test.size() != 2) refuse("healthcheck CMD-SHELL needs one command");
}

void check_mode(const char* what, const std::string& mode) {
    if (mode.empty() || mode == "host" || !container_of_mode(mode).empty()) return;
    refuse("invalid {} mode: {}", what, mode);
}

void check_namespaces(const ContainerSpec& spec) {
    check_mode("PID", spec.pid_mode);
    if (spec.ipc_mode != "none" && spec.ipc_mode != "shareable") check_mode("IPC", spec.ipc_mode);
    if (!spec.uts_mode.empty() && spec.uts_mode != "host") refuse("invalid UTS mode: {}", spec.uts_mode);
    if (spec.uts_mode == "host" && !spec.hostname.empty()) refuse("conflicting options: hostname and the UTS mode");
    if (!spec.cgroup_namespace.empty() && spec.cgroup_namespace != "host")
        refuse("invalid cgroup namespace mode: {}", spec.cgroup_namespace);
    const std::string parent = "/" + spec.cgroup_parent + "/";
    const bool odd = std::any_of(spec.cgroup_parent.begin(), spec.cgroup_parent.end(),
                                 [](unsigned char c) { return c <= ' ' || c == 127; });
    const bool nothing = spec.cgroup_parent.find_first_not_of('/') == std::string::npos;
    if (!spec.cgroup_parent.empty() && (odd || nothing || parent.find("/../") != std::string::npos))
        refuse("invalid cgroup parent: {}", spec.cgroup_parent);
}

}  // namespace

void check_endpoint(const NetworkAttachment& network) {
    if (!network.ip.empty()) (void)Ipv4::parse(network.ip);
    if (!network.ip6.empty()) (void)Ipv6::parse(network.ip6);
    if (!network.mac.empty() && !parse_mac(network.mac)) refuse("invalid MAC address: {}", network.mac);
    (void)parse_endpoint_options(network.options);
}

void check_dns_of_networks(const std::vector<std::string>& servers) {
    for (const std::string& address : servers) {
        if (address.starts_with("127.") || address == "::1")
            refuse("dns {}: the container's own loopback can't be asked by the name server of its networks", address);
    }
}

VolumesFrom parse_volumes_from(const std::string& text) {
    const size_t colon = text.find(':');
    VolumesFrom from{text.substr(0, colon)};
    const std::string mode = colon == std::string::npos ? "rw" : text.substr(colon + 1);
    if (from.container.empty()) refuse("invalid volumes-from specification: '{}'", text);
    static const std::set<std::string> modes = {"rw", "ro", "z", "Z", "rw,z", "rw,Z", "ro,z", "ro,Z"};
    if (!modes.contains(mode)) refuse("invalid mode for volumes-from: {}", mode);
    from.read_only = mode.starts_with("ro");
    return from;
}

std::string container_of_mode(const std::string& mode) {
    constexpr std::string_view kPrefix = "container:";
    return mode.starts_with(kPrefix) ? mode.substr(kPrefix.size()) : std::string();
}

void check_container_name(const std::string& name) {
    auto alphanumeric = [](unsigned char c) { return c < 128 && std::isalnum(c); };
    bool good = name.size() >= 2 && name.size() <= 255 && alphanumeric(static_cast<unsigned char>(name[0])) &&
                std::all_of(name.begin(), name.end(),
                            [&](unsigned char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
    if (!good) refuse("Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
}

std::vector<std::string> check_spec(const ContainerSpec& spec) {
    if (!spec.name.empty()) check_container_name(spec.name);
    check_texts(spec);
    check_mounts(spec);
    check_system_paths(spec);
    check_resources(spec.resources);
    check_fixed_limits(spec.fixed_limits);
    check_sizes(spec);
    check_restart(spec.restart);
    if (spec.auto_remove && spec.restart.name != RestartPolicy::Name::no)
        throw Error(Code::invalid_argument, "can't create 'AutoRemove' container with restart policy");
    check_network(spec);
    check_log(spec.log);
    check_namespaces(spec);
    for (const std::string& from : spec.volumes_from) (void)parse_volumes_from(from);
    if (spec.healthcheck) check_health(*spec.healthcheck);
    return check_launch(spec);
}

}  // namespace kedge::runtime
