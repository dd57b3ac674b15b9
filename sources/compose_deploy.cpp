#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <fmt/format.h>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

UpdateConfig read_update(const Node& node, UpdateConfig config, const KeyTable& known) {
    check_keys(node, known);
    with(node, "parallelism",
         [&](const Node& value) { config.parallelism = static_cast<int>(read_integer(value, 0, 1000)); });
    with(node, "delay", [&](const Node& value) { config.delay = read_duration(value); });
    with(node, "failure_action", [&](const Node& value) {
        config.failure_action = read_one_of(value, {"rollback", "pause", "continue"});
    });
    with(node, "monitor", [&](const Node& value) { config.monitor = read_duration(value); });
    with(node, "max_failure_ratio", [&](const Node& value) { config.max_failure_ratio = read_number(value, 0, 1); });
    with(node, "order", [&](const Node& value) { config.order = read_one_of(value, {"stop-first", "start-first"}); });
    return config;
}

/// The same limit may stand beside `deploy`, but must not say something else.
template <typename T>
void merge_limit(const Node& node, T& field, T value, const char* key, const char* deploy_key) {
    if (field != T{} && field != value) {
        fail(node, fmt::format("can't set distinct values on '{}' and 'deploy.resources.{}'", key, deploy_key));
    }
    field = value;
}

void read_resources(const Node& node, Service& service) {
    check_keys(node, keys::deploy_resources);
    with(node, "limits", [&](const Node& limits) {
        check_keys(limits, keys::deploy_limits);
        with(limits, "cpus", [&](const Node& value) {
            merge_limit(value, service.cpus, read_number(value, 0, 100000), "cpus", "limits.cpus");
        });
        with(limits, "memory", [&](const Node& value) {
            merge_limit(value, service.mem_limit, read_size(value), "mem_limit", "limits.memory");
        });
        with(limits, "pids", [&](const Node& value) {
            merge_limit(value, service.pids_limit, read_integer(value, -1, 1 << 30), "pids_limit", "limits.pids");
        });
    });
    with(node, "reservations", [&](const Node& reservations) {
        check_keys(reservations, keys::deploy_reservations);
        with(reservations, "memory", [&](const Node& value) {
            merge_limit(value, service.mem_reservation, read_size(value), "mem_reservation", "reservations.memory");
        });
    });
}

std::string read_restart_policy(const Node& node) {
    check_keys(node, keys::deploy_restart);
    std::string condition = "any";
    with(node, "condition", [&](const Node& value) { condition = read_one_of(value, {"none", "on-failure", "any"}); });
    int64_t attempts = 0;
    with(node, "max_attempts", [&](const Node& value) {
        attempts = read_integer(value, 0, 1000000);
        if (attempts > 0 && condition != "on-failure") fail(value, "is supported with the condition on-failure only");
    });
    if (condition == "none") return "no";
    if (condition == "any") return "always";
    return attempts > 0 ? fmt::format("on-failure:{}", attempts) : "on-failure";
}

}  // namespace

void read_deploy(Loading& loading, const Node& node, Service& service, bool scaled) {
    check_keys(node, keys::deploy);
    with(node, "mode", [](const Node& value) {
        if (read_string(value) != "replicated")
            fail(value, fmt::format("the mode \"{}\" is not supported yet", value.text));
    });
    with(node, "replicas", [&](const Node& value) {
        int replicas = static_cast<int>(read_integer(value, 0, 1000));
        if (scaled && service.replicas != replicas) {
            fail(value, "can't set distinct values on 'scale' and 'deploy.replicas'");
        }
        service.replicas = replicas;
    });
    with(node, "labels", [&](const Node& value) {
        read_map(value);
        loading.warnings.insert(yaml::where(value) +
                                ": labels of a service that no container gets; use labels beside image for those");
    });
    with(node, "update_config", [&](const Node& value) {
        service.update_config = read_update(value, service.update_config, keys::deploy_update);
    });
    with(node, "rollback_config", [&](const Node& value) {
        service.rollback_config = read_update(value, service.rollback_config, keys::deploy_rollback);
    });
    with(node, "resources", [&](const Node& value) { read_resources(value, service); });
    with(node, "restart_policy", [&](const Node& value) { service.restart = read_restart_policy(value); });
}

}  // namespace kedge::sources
