#include "sources/compose_load.h"

#include <fmt/format.h>

// What the keys of one service say about each other.

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

// What the engine, as Docker's, takes for the least that a container can run with.
constexpr int64_t kLeastMemory = 6 << 20;

/// The value of `key`, or the service.
const Node& at(const Node& node, std::string_view key) {
    const Node* value = node.find(key);
    return value ? *value : node;
}

void check_memory(const Node& node, const Service& service) {
    bool least = service.mem_limit == 0 || service.mem_limit >= kLeastMemory;
    const Node* beside = node.find("mem_limit");
    if (!least) fail(beside ? *beside : at(node, "deploy"), "the memory limit is less than 6m");
    if (service.memswap_limit > 0 && service.mem_limit == 0) fail(at(node, "memswap_limit"), "needs mem_limit");
    if (service.memswap_limit > 0 && service.memswap_limit < service.mem_limit) {
        fail(at(node, "memswap_limit"), "is memory and swap together, so it must not be less than the memory limit");
    }
    if (service.mem_limit > 0 && service.mem_reservation > service.mem_limit) {
        fail(at(node, node.find("mem_reservation") ? "mem_reservation" : "deploy"),
             "the memory reservation is above the limit");
    }
}

/// Docker would drop some of these without a word, and refuse others when the container is made.
void check_network_mode(const Node& node, const Service& service) {
    const std::string& mode = service.network_mode;
    if (mode.empty()) return;
    auto refuse = [&](const char* key) {
        fail(at(node, key), fmt::format("has no meaning with the network mode \"{}\"", mode));
    };
    if (!service.ports.empty()) refuse("ports");
    bool joins = mode != "none" && mode != "host";
    if (joins && !service.hostname.empty()) refuse("hostname");
    if (joins && !service.domainname.empty()) refuse("domainname");
    if (joins && !service.dns.empty()) refuse("dns");
    if (joins && !service.dns_search.empty()) refuse("dns_search");
    if (joins && !service.extra_hosts.empty()) refuse("extra_hosts");
    for (const auto& [name, value] : service.sysctls) {
        if (mode != "none" && name.starts_with("net."))
            fail(*at(node, "sysctls").find(name), fmt::format("has no meaning with the network mode \"{}\"", mode));
    }
}

void check_targets(const Node& node, const Service& service) {
    std::set<std::string> targets;
    auto add = [&](const char* list, const std::string& target) {
        if (!targets.insert(target).second) fail(at(node, list), fmt::format("duplicate mount point: {}", target));
    };
    for (const VolumeMount& mount : service.volumes) add("volumes", mount.target);
    for (const std::string& tmpfs : service.tmpfs) add("tmpfs", tmpfs.substr(0, tmpfs.find(':')));
    for (const FileUse& use : service.secrets) add("secrets", use.target);
    for (const FileUse& use : service.configs) add("configs", use.target);
}

void check_replicas(const Node& node, const Service& service) {
    if (service.replicas < 2) return;
    if (!service.container_name.empty()) {
        fail(at(node, "container_name"), fmt::format("can't set container_name and {} as container name must be unique",
                                                     node.find("scale") ? "scale" : "deploy.replicas"));
    }
    for (const Port& port : service.ports) {
        int available = port.published_last ? port.published_last - port.published + 1 : 1;
        if (port.published == 0 || available >= service.replicas) continue;
        fail(at(node, "ports"),
             fmt::format("{} replicas can't share the host port {}", service.replicas, port.published),
             "publish a range that is long enough, or no fixed port");
    }
    for (const NetworkUse& use : service.networks) {
        for (const auto& [key, address] :
             {std::pair("ipv4_address", &use.ipv4_address), std::pair("ipv6_address", &use.ipv6_address),
              std::pair("mac_address", &use.mac_address)}) {
            if (address->empty()) continue;
            const Node* network = at(node, "networks").find(use.network);
            fail(network ? at(*network, key) : node,
                 fmt::format("{} replicas can't share the address {}", service.replicas, *address));
        }
    }
}

}  // namespace

void check_service(const Node& node, const Service& service) {
    check_memory(node, service);
    check_network_mode(node, service);
    check_targets(node, service);
    check_replicas(node, service);
}

}  // namespace kedge::sources
