#include "sources/compose_load.h"
#include "sources/compose_read.h"

#include <fmt/format.h>

#include <unordered_map>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

/// Whether both would be the same port. Without an address it is all of both families.
bool collide(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty() || a == b) return true;
    if (is_ipv6(a) != is_ipv6(b)) return false;
    const char* any = is_ipv6(a) ? "::" : "0.0.0.0";
    return a == any || b == any;
}

/// Services that others wait for until they end: they may hand their ports on.
std::set<std::string> jobs_of(const Project& project) {
    std::set<std::string> jobs;
    for (const auto& [name, service] : project.services) {
        for (const Dependency& dependency : service.depends_on) {
            if (dependency.condition == "service_completed_successfully") jobs.insert(dependency.service);
        }
    }
    return jobs;
}

struct Holder {
    const std::string* service;
    const std::string* address;
};

const Node& ports_of(const Node& file, const std::string& service) {
    const Node* services = file.find("services");
    const Node* node = services ? services->find(service) : nullptr;
    const Node* ports = node ? node->find("ports") : nullptr;
    return ports ? *ports : file;
}

}  // namespace

void check_ports(const Node& file, const Project& project) {
    std::set<std::string> jobs = jobs_of(project);
    std::unordered_map<uint32_t, std::vector<Holder>> holders;
    for (const auto& [name, service] : project.services) {
        if (service.replicas == 0) continue;
        for (const Port& port : service.ports) {
            // Of a range any free one is taken.
            if (port.published == 0 || port.published_last != 0) continue;
            std::vector<Holder>& others = holders[port.published * 2u + (port.protocol == "udp" ? 1u : 0u)];
            for (const Holder& other : others) {
                bool same = collide(port.host_ip, *other.address);
                bool in_turn = name != *other.service && (jobs.contains(name) || jobs.contains(*other.service));
                if (!same || in_turn) continue;
                fail(ports_of(file, name),
                     fmt::format("the host port {}/{} is already published by {}", port.published, port.protocol,
                                 name == *other.service ? "another entry" : "service " + *other.service));
            }
            others.push_back({&name, &port.host_ip});
        }
    }
}

}  // namespace kedge::sources
