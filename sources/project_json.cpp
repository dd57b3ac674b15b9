#include "base/error.h"
#include "sources/project.h"

#include <nlohmann/json.hpp>

// Each type lists its fields once, for both directions.

namespace kedge::sources {

using nlohmann::json;

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Port> {
    visit("host_ip", v.host_ip);
    visit("published", v.published);
    visit("published_last", v.published_last);
    visit("target", v.target);
    visit("protocol", v.protocol);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, VolumeMount> {
    visit("type", v.type);
    visit("source", v.source);
    visit("target", v.target);
    visit("read_only", v.read_only);
    visit("no_copy", v.no_copy);
    visit("create_host_path", v.create_host_path);
    visit("propagation", v.propagation);
    visit("tmpfs_size", v.tmpfs_size);
    visit("tmpfs_mode", v.tmpfs_mode);
    visit("tmpfs_mode_given", v.tmpfs_mode_given);
    visit("content_digest", v.content_digest);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, NetworkUse> {
    visit("network", v.network);
    visit("aliases", v.aliases);
    visit("ipv4_address", v.ipv4_address);
    visit("ipv6_address", v.ipv6_address);
    visit("priority", v.priority);
    visit("mac_address", v.mac_address);
    visit("interface_name", v.interface_name);
    visit("driver_opts", v.driver_opts);
    visit("gw_priority", v.gw_priority);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Dependency> {
    visit("service", v.service);
    visit("condition", v.condition);
    visit("restart", v.restart);
    visit("required", v.required);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Healthcheck> {
    visit("test", v.test);
    visit("interval", v.interval);
    visit("timeout", v.timeout);
    visit("start_period", v.start_period);
    visit("start_interval", v.start_interval);
    visit("retries", v.retries);
    visit("disable", v.disable);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Probe> {
    visit("kind", v.kind);
    visit("port", v.port);
    visit("path", v.path);
    visit("status_from", v.status_from);
    visit("status_to", v.status_to);
    visit("headers", v.headers);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, FileUse> {
    visit("source", v.source);
    visit("target", v.target);
    visit("uid", v.uid);
    visit("gid", v.gid);
    visit("mode", v.mode);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, UpdateConfig> {
    visit("parallelism", v.parallelism);
    visit("delay", v.delay);
    visit("failure_action", v.failure_action);
    visit("monitor", v.monitor);
    visit("max_failure_ratio", v.max_failure_ratio);
    visit("order", v.order);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Ulimit> {
    visit("name", v.name);
    visit("soft", v.soft);
    visit("hard", v.hard);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Service> {
    visit("name", v.name);
    visit("image", v.image);
    visit("command", v.command);
    visit("entrypoint", v.entrypoint);
    visit("environment", v.environment);
    visit("ports", v.ports);
    visit("volumes", v.volumes);
    visit("networks", v.networks);
    visit("network_mode", v.network_mode);
    visit("depends_on", v.depends_on);
    visit("healthcheck", v.healthcheck);
    visit("probe", v.probe);
    visit("restart", v.restart);
    visit("labels", v.labels);
    visit("user", v.user);
    visit("working_dir", v.working_dir);
    visit("hostname", v.hostname);
    visit("domainname", v.domainname);
    visit("container_name", v.container_name);
    visit("stop_signal", v.stop_signal);
    visit("stop_grace_period", v.stop_grace_period);
    visit("read_only", v.read_only);
    visit("init", v.init);
    visit("privileged", v.privileged);
    visit("tty", v.tty);
    visit("stdin_open", v.stdin_open);
    visit("tmpfs", v.tmpfs);
    visit("cap_add", v.cap_add);
    visit("cap_drop", v.cap_drop);
    visit("security_opt", v.security_opt);
    visit("extra_hosts", v.extra_hosts);
    visit("group_add", v.group_add);
    visit("dns", v.dns);
    visit("dns_search", v.dns_search);
    visit("devices", v.devices);
    visit("sysctls", v.sysctls);
    visit("ulimits", v.ulimits);
    visit("mem_limit", v.mem_limit);
    visit("memswap_limit", v.memswap_limit);
    visit("mem_reservation", v.mem_reservation);
    visit("shm_size", v.shm_size);
    visit("cpus", v.cpus);
    visit("pids_limit", v.pids_limit);
    visit("pull_policy", v.pull_policy);
    visit("platform", v.platform);
    visit("logging_options", v.logging_options);
    visit("logging_driver", v.logging_driver);
    visit("secrets", v.secrets);
    visit("configs", v.configs);
    visit("replicas", v.replicas);
    visit("update_config", v.update_config);
    visit("rollback_config", v.rollback_config);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Network> {
    visit("key", v.key);
    visit("name", v.name);
    visit("external", v.external);
    visit("internal", v.internal);
    visit("driver", v.driver);
    visit("subnet", v.subnet);
    visit("gateway", v.gateway);
    visit("enable_ipv6", v.enable_ipv6);
    visit("subnet6", v.subnet6);
    visit("gateway6", v.gateway6);
    visit("enable_ipv4", v.enable_ipv4);
    visit("attachable", v.attachable);
    visit("ip_range", v.ip_range);
    visit("ip_range6", v.ip_range6);
    visit("aux_addresses", v.aux_addresses);
    visit("aux_addresses6", v.aux_addresses6);
    visit("labels", v.labels);
    visit("driver_opts", v.driver_opts);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Volume> {
    visit("key", v.key);
    visit("name", v.name);
    visit("external", v.external);
    visit("driver", v.driver);
    visit("labels", v.labels);
    visit("driver_opts", v.driver_opts);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, FileSource> {
    visit("key", v.key);
    visit("path", v.path);
    visit("content", v.content);
    visit("content_digest", v.content_digest);
}

template <typename Visit, typename T>
static void visit_fields(Visit&& visit, T& v) requires std::same_as<std::remove_const_t<T>, Project> {
    visit("name", v.name);
    visit("directory", v.directory);
    visit("files", v.files);
    visit("services", v.services);
    visit("networks", v.networks);
    visit("volumes", v.volumes);
    visit("secrets", v.secrets);
    visit("configs", v.configs);
}

namespace {

struct Nothing {
    void operator()(const char*, auto&) const {}
};

}  // namespace

template <typename T>
concept Listed = requires(T& v) {
    visit_fields(Nothing{}, v);
};

template <Listed T>
void to_json(json& j, const T& v) {
    j = json::object();
    visit_fields(
        [&]<typename F>(const char* key, const F& field) {
            if constexpr (requires { field.has_value(); }) {
                if (!field) return;
                if constexpr (std::same_as<F, std::optional<Nanoseconds>>) {
                    j[key] = field->count();
                } else {
                    j[key] = *field;
                }
            } else if constexpr (std::same_as<F, Nanoseconds>) {
                j[key] = field.count();
            } else {
                j[key] = field;
            }
        },
        v);
}

template <Listed T>
void from_json(const json& j, T& v) {
    // Anything else has no fields and would be taken for a value with the defaults.
    if (!j.is_object()) throw Error(Code::invalid_argument, "project: an object is something else");
    visit_fields(
        [&]<typename F>(const char* key, F& field) {
            auto found = j.find(key);
            if (found == j.end()) return;
            if constexpr (std::same_as<F, Nanoseconds> || std::same_as<F, std::optional<Nanoseconds>>) {
                field = Nanoseconds(found->template get<int64_t>());
            } else if constexpr (requires { field.has_value(); }) {
                field = found->template get<typename F::value_type>();
            } else {
                found->get_to(field);
            }
        },
        v);
}

std::string to_json_text(const Project& project) {
    return json(project).dump(-1, ' ', false, json::error_handler_t::replace);
}

namespace {

template <Listed T>
json canonical(const T& v);

template <typename T>
json canonical_value(const T& v) {
    if constexpr (std::same_as<T, Nanoseconds>) {
        return v.count();
    } else if constexpr (Listed<T>) {
        return canonical(v);
    } else if constexpr (requires { v.has_value(); }) {
        return v ? canonical_value(*v) : json();
    } else if constexpr (requires { typename T::mapped_type; }) {
        json object = json::object();
        for (const auto& [key, value] : v) object[key] = canonical_value(value);
        return object;
    } else if constexpr (requires { typename T::value_type; } && !std::same_as<T, std::string>) {
        json array = json::array();
        for (const auto& value : v) array.push_back(canonical_value(value));
        return array;
    } else {
        return v;
    }
}

/// The fields that say something else than a new value of their type.
template <Listed T>
json canonical(const T& v) {
    static const std::map<std::string, json> defaults = [] {
        std::map<std::string, json> made;
        const T fresh{};
        visit_fields([&](const char* key, const auto& field) { made[key] = canonical_value(field); }, fresh);
        return made;
    }();
    json object = json::object();
    visit_fields(
        [&](const char* key, const auto& field) {
            json value = canonical_value(field);
            if (value != defaults.at(key)) object[key] = std::move(value);
        },
        v);
    return object;
}

}  // namespace

std::string canonical_text(const Project& project) {
    return canonical(project).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string canonical_text(const Service& service) {
    return canonical(service).dump(-1, ' ', false, json::error_handler_t::replace);
}

Project project_from_json(const std::string& text) {
    try {
        return json::parse(text).get<Project>();
    } catch (const json::exception& e) {
        throw Error(Code::invalid_argument, std::string("project: ") + e.what());
    }
}

}  // namespace kedge::sources
