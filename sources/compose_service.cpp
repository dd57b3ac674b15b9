#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"
#include "sources/compose_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();

bool is_docker_name(const std::string& text) {
    auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    return text.size() > 1 && alnum(text[0]) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || c == '_' || c == '.' || c == '-'; });
}

std::string read_restart(const Node& node) {
    std::string text = read_string(node);
    if (text == "no" || text == "always" || text == "on-failure" || text == "unless-stopped") return text;
    if (text.starts_with("on-failure:") && text.size() > 11 && text.size() < 18 &&
        text.find_first_not_of("0123456789", 11) == std::string::npos) {
        return text;
    }
    fail(node, fmt::format("\"{}\" is not a restart policy", text), "one of no, always, on-failure, on-failure:3, unless-stopped");
}

Healthcheck read_healthcheck(const Node& node) {
    check_keys(node, keys::healthcheck);
    Healthcheck health;
    with(node, "test", [&](const Node& test) {
        if (test.is_string()) {
            health.test = {"CMD-SHELL", test.text};
            if (test.text == "NONE") health.test = {"NONE"};
            return;
        }
        health.test = read_strings(test);
        if (health.test.empty()) return;
        const std::string& first = health.test[0];
        if (first != "NONE" && first != "CMD" && first != "CMD-SHELL") {
            fail(test, "must start with \"CMD\", \"CMD-SHELL\" or \"NONE\"");
        }
        if ((first == "CMD" && health.test.size() < 2) || (first == "CMD-SHELL" && health.test.size() != 2)) {
            fail(test, fmt::format("{} takes {}", first, first == "CMD" ? "a command" : "one string"));
        }
    });
    with(node, "interval", [&](const Node& value) { health.interval = read_duration(value); });
    with(node, "timeout", [&](const Node& value) { health.timeout = read_duration(value); });
    with(node, "start_period", [&](const Node& value) { health.start_period = read_duration(value); });
    with(node, "start_interval", [&](const Node& value) { health.start_interval = read_duration(value); });
    with(node, "retries", [&](const Node& value) { health.retries = static_cast<int>(read_integer(value, 0, 1000000)); });
    with(node, "disable", [&](const Node& value) { health.disable = read_bool(value); });
    health.disable = health.disable || (!health.test.empty() && health.test[0] == "NONE");
    if (health.disable) health.test = {"NONE"};
    return health;
}

std::vector<Dependency> read_dependencies(const Node& node) {
    if (!node.is_map()) fail(node, "must be a list or mapping");
    std::vector<Dependency> list;
    for (const auto& [name, value] : node.entries) {
        Dependency dependency;
        dependency.service = name;
        if (!value.is_null()) {
            check_keys(value, keys::dependency);
            with(value, "condition", [&](const Node& condition) {
                dependency.condition =
                    read_one_of(condition, {"service_started", "service_healthy", "service_completed_successfully"});
            });
            with(value, "restart", [&](const Node& restart) { dependency.restart = read_bool(restart); });
            with(value, "required", [&](const Node& required) { dependency.required = read_bool(required); });
        }
        list.push_back(std::move(dependency));
    }
    return list;
}

std::vector<NetworkUse> read_network_uses(const Node& node) {
    if (!node.is_map()) fail(node, "must be a list or mapping");
    std::vector<NetworkUse> list;
    for (const auto& [name, value] : node.entries) {
        NetworkUse use;
        use.network = name;
        if (!value.is_null()) {
            check_keys(value, keys::network_use);
            with(value, "aliases", [&](const Node& aliases) { use.aliases = read_strings(aliases); });
            with(value, "ipv4_address", [&](const Node& address) {
                use.ipv4_address = read_string(address);
                if (!is_ipv4(use.ipv4_address)) fail(address, fmt::format("\"{}\" is not an IPv4 address", use.ipv4_address));
            });
            with(value, "priority", [&](const Node& priority) {
                use.priority = static_cast<int>(read_integer(priority, -1000000, 1000000));
            });
        }
        list.push_back(std::move(use));
    }
    // The first one is the container's way out.
    std::stable_sort(list.begin(), list.end(), [](const NetworkUse& a, const NetworkUse& b) { return a.priority > b.priority; });
    return list;
}

void read_network_mode(const Node& node, Service& service) {
    std::string mode = read_string(node);
    bool of_other = mode.starts_with("service:") || mode.starts_with("container:");
    if (of_other && mode.ends_with(':')) fail(node, fmt::format("\"{}\" names nothing", mode));
    if (mode != "none" && mode != "host" && !of_other) fail(node, fmt::format("the network mode \"{}\" is not supported yet", mode), "list the network under networks");
    service.network_mode = mode;
    if (!mode.starts_with("service:")) return;
    // Its network is there once that service runs, and gone when it is replaced.
    std::string other = mode.substr(8);
    auto known = [&](const Dependency& dependency) { return dependency.service == other; };
    if (std::none_of(service.depends_on.begin(), service.depends_on.end(), known)) {
        Dependency& added = service.depends_on.emplace_back();
        added.service = other;
        added.restart = true;
    }
}

std::vector<std::string> read_extra_hosts(const Node& node) {
    std::vector<std::string> hosts;
    for (const Node& item : node.is_sequence() ? node.items : std::vector<Node>{}) {
        std::string text = read_string(item);
        size_t split = text.find('=');
        if (split == std::string::npos) split = text.find(':');
        if (split == std::string::npos || split == 0 || split + 1 >= text.size()) {
            fail(item, fmt::format("\"{}\" is not a host and its address", text), "write it as name=address");
        }
        std::string address = text.substr(split + 1);
        if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
        if (address != "host-gateway" && !is_ip(address)) fail(item, fmt::format("\"{}\" is not an IP address", address));
        hosts.push_back(text.substr(0, split) + ":" + address);
    }
    if (!node.is_sequence()) fail(node, "must be a list or mapping");
    return hosts;
}

std::vector<std::string> read_devices(const Node& node) {
    if (!node.is_sequence()) fail(node, "must be a list");
    std::vector<std::string> devices;
    for (const Node& item : node.items) {
        if (!item.is_map()) {
            std::string text = read_string(item);
            if (!text.starts_with('/')) fail(item, fmt::format("the device \"{}\" is not supported yet", text));
            devices.push_back(text);
            continue;
        }
        check_keys(item, keys::device);
        std::string source, target, permissions = "rwm";
        with(item, "source", [&](const Node& value) { source = target = read_string(value); });
        with(item, "target", [&](const Node& value) { target = read_string(value); });
        with(item, "permissions", [&](const Node& value) { permissions = read_string(value); });
        if (!source.starts_with('/')) fail(item, fmt::format("the device \"{}\" is not supported yet", source));
        devices.push_back(source + ":" + target + ":" + permissions);
    }
    return devices;
}

std::vector<Ulimit> read_ulimits(const Node& node) {
    if (!node.is_map()) fail(node, "must be a mapping");
    std::vector<Ulimit> list;
    for (const auto& [name, value] : node.entries) {
        Ulimit limit;
        limit.name = name;
        if (!value.is_map()) {
            limit.soft = limit.hard = read_integer(value, -1, kMaxInt);
        } else {
            check_keys(value, keys::ulimit);
            const Node* soft = value.find("soft");
            const Node* hard = value.find("hard");
            if (!soft || !hard) fail(value, "needs soft and hard");
            limit.soft = read_integer(*soft, -1, kMaxInt);
            limit.hard = read_integer(*hard, -1, kMaxInt);
        }
        list.push_back(limit);
    }
    std::sort(list.begin(), list.end(), [](const Ulimit& a, const Ulimit& b) { return a.name < b.name; });
    return list;
}

std::vector<FileUse> read_file_uses(const Node& node, const std::string& folder) {
    if (!node.is_sequence()) fail(node, "must be a list");
    std::vector<FileUse> list;
    for (const Node& item : node.items) {
        FileUse use;
        if (!item.is_map()) {
            use.source = read_string(item);
        } else {
            check_keys(item, keys::file_use);
            with(item, "source", [&](const Node& value) { use.source = read_string(value); });
            with(item, "target", [&](const Node& value) { use.target = read_string(value); });
            with(item, "uid", [&](const Node& value) { use.uid = read_string(value); });
            with(item, "gid", [&](const Node& value) { use.gid = read_string(value); });
            with(item, "mode", [&](const Node& value) { use.mode = read_mode(value); });
        }
        if (use.source.empty()) fail(item, "source is missing");
        if (use.target.empty()) use.target = use.source;
        if (!use.target.starts_with('/')) use.target = folder + use.target;
        list.push_back(std::move(use));
    }
    return list;
}

std::string read_pull_policy(const Node& node) {
    std::string policy = read_string(node);
    if (policy == "if_not_present") return "missing";
    if (policy == "build" || policy == "refresh" || policy == "daily" || policy == "weekly" || policy.starts_with("every_")) {
        fail(node, fmt::format("the pull policy \"{}\" is not supported yet", policy));
    }
    return read_one_of(node, {"always", "never", "missing"});
}

/// Docker's client puts a profile's file into the option; so do we.
std::vector<std::string> read_security(Loading& loading, const Node& node) {
    if (!node.is_sequence()) fail(node, "must be a list");
    std::vector<std::string> options;
    for (const Node& item : node.items) {
        std::string text = read_string(item);
        size_t split = text.find('=');
        if (split == std::string::npos) split = text.find(':');
        if (split != std::string::npos) text[split] = '=';
        if (text.starts_with("seccomp=") && text != "seccomp=unconfined" && text != "seccomp=builtin") {
            text = "seccomp=" + read_project_file(loading, item, text.substr(8));
        }
        options.push_back(std::move(text));
    }
    return options;
}

void read_what_runs(Loading& loading, const Node& node, Service& service) {
    with(node, "image", [&](const Node& value) { service.image = read_string(value); });
    if (service.image.empty()) fail(node, fmt::format("service \"{}\" has neither an image nor a build context specified", service.name));
    with(node, "command", [&](const Node& value) { service.command = read_command(value); });
    with(node, "entrypoint", [&](const Node& value) { service.entrypoint = read_command(value); });
    service.environment = read_environment(loading, node);
    with(node, "labels", [&](const Node& value) { service.labels = read_map(value); });
    with(node, "user", [&](const Node& value) { service.user = read_string(value); });
    with(node, "working_dir", [&](const Node& value) { service.working_dir = read_string(value); });
    with(node, "hostname", [&](const Node& value) { service.hostname = read_string(value); });
    with(node, "domainname", [&](const Node& value) { service.domainname = read_string(value); });
    with(node, "container_name", [&](const Node& value) {
        service.container_name = read_string(value);
        if (!is_docker_name(service.container_name)) {
            fail(value, fmt::format("invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", service.container_name));
        }
    });
    with(node, "platform", [&](const Node& value) { service.platform = read_string(value); });
    with(node, "pull_policy", [&](const Node& value) { service.pull_policy = read_pull_policy(value); });
    with(node, "healthcheck", [&](const Node& value) { service.healthcheck = read_healthcheck(value); });
    with(node, "restart", [&](const Node& value) { service.restart = read_restart(value); });
    with(node, "stop_signal", [&](const Node& value) { service.stop_signal = read_text(value); });
    with(node, "stop_grace_period", [&](const Node& value) { service.stop_grace_period = read_duration(value); });
    with(node, "x-kedge", [&](const Node& value) { service.probe = read_probe(value); });
}

void read_connections(Loading& loading, const Node& node, Service& service) {
    with(node, "depends_on", [&](const Node& value) { service.depends_on = read_dependencies(value); });
    with(node, "ports", [&](const Node& value) {
        if (!value.is_sequence()) fail(value, "must be a list");
        for (const Node& item : value.items) {
            size_t before = service.ports.size();
            for (Port& port : read_port(item)) service.ports.push_back(std::move(port));
            loading.ports += service.ports.size() - before;
            if (loading.ports > kPortLimit) fail(item, fmt::format("the project has more than {} ports", kPortLimit));
        }
    });
    with(node, "expose", [](const Node& value) { read_strings(value, true); });
    with(node, "networks", [&](const Node& value) { service.networks = read_network_uses(value); });
    with(node, "network_mode", [&](const Node& value) {
        if (!service.networks.empty()) fail(value, fmt::format("service \"{}\" declares mutually exclusive `network_mode` and `networks`", service.name));
        read_network_mode(value, service);
    });
    if (service.networks.empty() && service.network_mode.empty()) service.networks.emplace_back().network = "default";
    with(node, "extra_hosts", [&](const Node& value) { service.extra_hosts = read_extra_hosts(value); });
    with(node, "dns", [&](const Node& value) { service.dns = read_strings(value); });
    with(node, "dns_search", [&](const Node& value) { service.dns_search = read_strings(value); });
}

void read_files(const Loading& loading, const Node& node, Service& service) {
    with(node, "volumes", [&](const Node& value) {
        if (!value.is_sequence()) fail(value, "must be a list");
        for (const Node& item : value.items) service.volumes.push_back(read_mount(loading, item));
    });
    with(node, "tmpfs", [&](const Node& value) { service.tmpfs = read_strings(value); });
    with(node, "secrets", [&](const Node& value) { service.secrets = read_file_uses(value, "/run/secrets/"); });
    with(node, "configs", [&](const Node& value) { service.configs = read_file_uses(value, "/"); });
    with(node, "devices", [&](const Node& value) { service.devices = read_devices(value); });
    with(node, "read_only", [&](const Node& value) { service.read_only = read_bool(value); });
}

void read_limits(Loading& loading, const Node& node, Service& service) {
    for (auto [key, field] : {std::pair{"init", &service.init}, {"privileged", &service.privileged}, {"tty", &service.tty}, {"stdin_open", &service.stdin_open}}) {
        with(node, key, [&](const Node& value) { *field = read_bool(value); });
    }
    with(node, "attach", [](const Node& value) { read_bool(value); });
    with(node, "cap_add", [&](const Node& value) { service.cap_add = read_strings(value); });
    with(node, "cap_drop", [&](const Node& value) { service.cap_drop = read_strings(value); });
    with(node, "security_opt", [&](const Node& value) { service.security_opt = read_security(loading, value); });
    with(node, "group_add", [&](const Node& value) { service.group_add = read_strings(value, true); });
    with(node, "sysctls", [&](const Node& value) { service.sysctls = read_map(value); });
    with(node, "ulimits", [&](const Node& value) { service.ulimits = read_ulimits(value); });
    with(node, "shm_size", [&](const Node& value) { service.shm_size = read_size(value); });
    with(node, "mem_limit", [&](const Node& value) { service.mem_limit = read_size(value); });
    with(node, "mem_reservation", [&](const Node& value) { service.mem_reservation = read_size(value); });
    with(node, "memswap_limit", [&](const Node& value) { service.memswap_limit = value.text == "-1" ? -1 : read_size(value); });
    with(node, "cpus", [&](const Node& value) { service.cpus = read_number(value, 0, 100000); });
    with(node, "pids_limit", [&](const Node& value) { service.pids_limit = read_integer(value, -1, 1 << 30); });
    with(node, "logging", [&](const Node& value) {
        check_keys(value, keys::logging);
        with(value, "driver", [&](const Node& driver) { service.logging_driver = read_string(driver); });
        with(value, "options", [&](const Node& options) { service.logging_options = read_map(options); });
    });
}

}  // namespace

Service read_service(Loading& loading, const std::string& name, const Node& node) {
    Service service;
    service.name = name;
    service.restart = "no";
    service.update_config.failure_action = "rollback";
    service.rollback_config.failure_action = "pause";
    read_what_runs(loading, node, service);
    read_connections(loading, node, service);
    read_files(loading, node, service);
    read_limits(loading, node, service);
    with(node, "scale", [&](const Node& value) { service.replicas = static_cast<int>(read_integer(value, 0, 1000)); });
    with(node, "deploy", [&](const Node& value) { read_deploy(loading, value, service); });
    return service;
}

}  // namespace kedge::sources
