#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"
#include "sources/compose_mounts.h"
#include "sources/compose_ports.h"
#include "sources/compose_values.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

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
    fail(node, fmt::format("\"{}\" is not a restart policy", text),
         "one of no, always, on-failure, on-failure:3, unless-stopped");
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
    for (auto [key, field] : {std::pair{"interval", &health.interval},
                              {"timeout", &health.timeout},
                              {"start_period", &health.start_period},
                              {"start_interval", &health.start_interval}}) {
        with(node, key, [duration = field](const Node& value) {
            *duration = read_duration(value);
            if (*duration > Nanoseconds(0) && *duration < std::chrono::milliseconds(1))
                fail(value, fmt::format("\"{}\" is less than 1ms", value.text));
        });
    }
    with(node, "retries",
         [&](const Node& value) { health.retries = static_cast<int>(read_integer(value, 0, 1000000)); });
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

void read_network_mode(const Node& node, Service& service) {
    std::string mode = read_string(node);
    bool of_other = mode.starts_with("service:") || mode.starts_with("container:");
    if (of_other && mode.ends_with(':')) fail(node, fmt::format("\"{}\" names nothing", mode));
    if (mode != "none" && mode != "host" && !of_other)
        fail(node, fmt::format("the network mode \"{}\" is not supported yet", mode),
             "list the network under networks");
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

std::string read_owner(const Node& node) {
    std::string text = read_string(node);
    (void)read_integer(node, 0, 4294967294);
    return text;
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
            with(item, "uid", [&](const Node& value) { use.uid = read_owner(value); });
            with(item, "gid", [&](const Node& value) { use.gid = read_owner(value); });
            with(item, "mode", [&](const Node& value) { use.mode = read_mode(value); });
        }
        if (use.source.empty()) fail(item, "source is missing");
        if (use.target.empty()) use.target = use.source;
        check_path(item, use.target);
        use.target = read_target(item, clean_target(use.target, folder));
        list.push_back(std::move(use));
    }
    return list;
}

std::string read_pull_policy(const Node& node) {
    std::string policy = read_string(node);
    if (policy == "if_not_present") return "missing";
    if (policy == "build" || policy == "refresh" || policy == "daily" || policy == "weekly" ||
        policy.starts_with("every_")) {
        fail(node, fmt::format("the pull policy \"{}\" is not supported yet", policy));
    }
    return read_one_of(node, {"always", "never", "missing"});
}

void check_security(const Node& node, const std::string& key, const std::string& value) {
    if (key == "no-new-privileges") {
        if (!value.empty() && value != "true" && value != "false")
            fail(node, fmt::format("\"{}\" is not true or false", value));
    } else if (key == "systempaths") {
        if (value != "unconfined") fail(node, fmt::format("systempaths must be unconfined, not \"{}\"", value));
    } else if (key != "seccomp" && key != "apparmor" && key != "label") {
        fail(node, fmt::format("\"{}\" is not a security option", key));
    } else if (value.empty()) {
        fail(node, fmt::format("the security option {} needs a value", key));
    }
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
        check_security(item, text.substr(0, split), split == std::string::npos ? "" : text.substr(split + 1));
        if (text.starts_with("seccomp=") && text != "seccomp=unconfined" && text != "seccomp=builtin") {
            // Of an inactive profile's service the file need not be there.
            if (!loading.inactive) text = "seccomp=" + read_project_file(loading, item, text.substr(8));
        }
        options.push_back(std::move(text));
    }
    return options;
}

void read_what_runs(Loading& loading, const Node& node, Service& service) {
    with(node, "image", [&](const Node& value) {
        service.image = read_string(value);
        bool odd = std::any_of(service.image.begin(), service.image.end(), [](char c) { return c <= ' ' || c > '~'; });
        if (odd) fail(value, fmt::format("\"{}\" is not an image's name", service.image));
    });
    if (service.image.empty() && !loading.inactive)
        fail(node, fmt::format("service \"{}\" has neither an image nor a build context specified", service.name));
    with(node, "command", [&](const Node& value) { service.command = read_command(value); });
    with(node, "entrypoint", [&](const Node& value) { service.entrypoint = read_command(value); });
    service.environment = read_environment(loading, node);
    with(node, "labels", [&](const Node& value) { service.labels = read_map(value); });
    with(node, "user", [&](const Node& value) { service.user = read_string(value); });
    with(node, "working_dir", [&](const Node& value) {
        service.working_dir = read_string(value);
        if (!service.working_dir.empty() && service.working_dir[0] != '/')
            fail(value, fmt::format("\"{}\" is not an absolute path", service.working_dir));
    });
    with(node, "hostname", [&](const Node& value) { service.hostname = read_hostname(value); });
    with(node, "domainname", [&](const Node& value) { service.domainname = read_hostname(value); });
    with(node, "container_name", [&](const Node& value) {
        service.container_name = read_string(value);
        if (!is_docker_name(service.container_name)) {
            fail(value, fmt::format("invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                                    service.container_name));
        }
    });
    with(node, "platform", [&](const Node& value) { service.platform = read_string(value); });
    with(node, "pull_policy", [&](const Node& value) { service.pull_policy = read_pull_policy(value); });
    with(node, "healthcheck", [&](const Node& value) { service.healthcheck = read_healthcheck(value); });
    with(node, "restart", [&](const Node& value) { service.restart = read_restart(value); });
    with(node, "stop_signal", [&](const Node& value) { service.stop_signal = read_signal(value); });
    with(node, "stop_grace_period", [&](const Node& value) { service.stop_grace_period = read_duration(value); });
    with(node, "x-kedge", [&](const Node& value) { service.probe = read_probe(value); });
}

void read_connections(Loading& loading, const Node& node, Service& service) {
    with(node, "depends_on", [&](const Node& value) { service.depends_on = read_dependencies(value); });
    with(node, "ports", [&](const Node& value) {
        if (!value.is_sequence()) fail(value, "must be a list");
        std::set<std::string> entries;  // the same twice is there once, as in Compose
        for (const Node& item : value.items) {
            if (!entries.insert(port_identity(item)).second) continue;
            size_t before = service.ports.size();
            for (Port& port : read_port(item)) service.ports.push_back(std::move(port));
            loading.ports += service.ports.size() - before;
            if (loading.ports > kPortLimit) fail(item, fmt::format("the project has more than {} ports", kPortLimit));
        }
    });
    with(node, "expose", check_expose);
    with(node, "networks", [&](const Node& value) { service.networks = read_network_uses(value); });
    with(node, "network_mode", [&](const Node& value) {
        if (!service.networks.empty())
            fail(value,
                 fmt::format("service \"{}\" declares mutually exclusive `network_mode` and `networks`", service.name));
        read_network_mode(value, service);
    });
    if (service.networks.empty() && service.network_mode.empty()) service.networks.emplace_back().network = "default";
    with(node, "extra_hosts", [&](const Node& value) { service.extra_hosts = read_extra_hosts(value); });
    with(node, "dns", [&](const Node& value) { service.dns = read_addresses(value); });
    with(node, "dns_search", [&](const Node& value) {
        service.dns_search = read_strings(value);
        for (size_t i = 0; i < service.dns_search.size(); ++i) {
            if (!is_hostname(service.dns_search[i]))
                fail(value.items[i], fmt::format("\"{}\" is not a domain", service.dns_search[i]));
        }
    });
}

void read_files(const Loading& loading, const Node& node, Service& service) {
    with(node, "volumes", [&](const Node& value) {
        if (!value.is_sequence()) fail(value, "must be a list");
        for (const Node& item : value.items) service.volumes.push_back(read_mount(loading, item));
    });
    with(node, "tmpfs", [&](const Node& value) { service.tmpfs = read_tmpfs(value); });
    with(node, "secrets", [&](const Node& value) { service.secrets = read_file_uses(value, kSecretsFolder); });
    with(node, "configs", [&](const Node& value) { service.configs = read_file_uses(value, "/"); });
    with(node, "devices", [&](const Node& value) { service.devices = read_devices(value); });
    with(node, "read_only", [&](const Node& value) { service.read_only = read_bool(value); });
}

void read_limits(Loading& loading, const Node& node, Service& service) {
    for (auto [key, field] : {std::pair{"init", &service.init},
                              {"privileged", &service.privileged},
                              {"tty", &service.tty},
                              {"stdin_open", &service.stdin_open}}) {
        with(node, key, [flag = field](const Node& value) { *flag = read_bool(value); });
    }
    with(node, "attach", [](const Node& value) { read_bool(value); });
    with(node, "cap_add", [&](const Node& value) { service.cap_add = read_capabilities(value); });
    with(node, "cap_drop", [&](const Node& value) { service.cap_drop = read_capabilities(value); });
    with(node, "security_opt", [&](const Node& value) { service.security_opt = read_security(loading, value); });
    with(node, "group_add", [&](const Node& value) { service.group_add = read_strings(value, true); });
    with(node, "sysctls", [&](const Node& value) { service.sysctls = read_sysctls(value); });
    with(node, "ulimits", [&](const Node& value) { service.ulimits = read_ulimits(value); });
    with(node, "shm_size", [&](const Node& value) { service.shm_size = read_size(value); });
    with(node, "mem_limit", [&](const Node& value) { service.mem_limit = read_size(value); });
    with(node, "mem_reservation", [&](const Node& value) { service.mem_reservation = read_size(value); });
    with(node, "memswap_limit",
         [&](const Node& value) { service.memswap_limit = value.text == "-1" ? -1 : read_size(value); });
    with(node, "cpus", [&](const Node& value) { service.cpus = read_number(value, 0, 100000); });
    with(node, "pids_limit", [&](const Node& value) { service.pids_limit = read_integer(value, -1, 1 << 30); });
    with(node, "logging", [&](const Node& value) { read_logging(value, service); });
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
    with(node, "deploy",
         [&](const Node& value) { read_deploy(loading, value, service, node.find("scale") != nullptr); });
    check_service(node, service);
    return service;
}

}  // namespace kedge::sources
