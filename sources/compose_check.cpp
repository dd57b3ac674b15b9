#include "sources/compose_load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

/// The value at a path of keys, or the nearest above it that is there: where to point at.
const Node& nearest(const Node& file, std::initializer_list<std::string_view> path) {
    const Node* node = &file;
    for (std::string_view key : path) {
        const Node* next = node->find(key);
        if (!next) break;
        node = next;
    }
    return *node;
}

void check_dependencies(const Node& file, const std::map<std::string, std::vector<std::string>>& disabled,
                        Project& project, Service& service) {
    std::erase_if(service.depends_on,
                  [&](const Dependency& d) { return !d.required && !project.services.contains(d.service); });
    for (const Dependency& dependency : service.depends_on) {
        if (project.services.contains(dependency.service)) continue;
        bool by_network = service.network_mode == "service:" + dependency.service;
        const Node& at = by_network ? nearest(file, {"services", service.name, "network_mode"})
                                    : nearest(file, {"services", service.name, "depends_on", dependency.service});
        if (auto found = disabled.find(dependency.service); found != disabled.end()) {
            fail(at,
                 fmt::format("service \"{}\" is required by \"{}\" but is disabled. Can be enabled by profiles [{}]",
                             dependency.service, service.name, fmt::join(found->second, " ")));
        }
        fail(at, fmt::format("service \"{}\" depends on undefined service \"{}\"", service.name, dependency.service));
    }
}

/// The element of a list or map that names this, or the whole.
const Node& element(const Node& all, const std::string& name) {
    if (const Node* entry = all.find(name)) return *entry;
    for (const Node& item : all.items) {
        const Node* source = item.find("source");
        if (item.text == name || item.text.starts_with(name + ":") || (source && source->text == name)) return item;
    }
    return all;
}

void check_references(const Node& file, const Project& project, const Service& service) {
    auto check = [&](const char* what, const char* section, const std::string& name, const auto& declared) {
        if (declared.contains(name)) return;
        fail(element(nearest(file, {"services", service.name, section}), name),
             fmt::format("service \"{}\" refers to undefined {} {}", service.name, what, name));
    };
    for (const NetworkUse& use : service.networks) check("network", "networks", use.network, project.networks);
    for (const VolumeMount& mount : service.volumes) {
        if (mount.type == "volume" && !mount.source.empty()) check("volume", "volumes", mount.source, project.volumes);
    }
    for (const FileUse& use : service.secrets) check("secret", "secrets", use.source, project.secrets);
    for (const FileUse& use : service.configs) check("config", "configs", use.source, project.configs);
}

/// An address in a network needs the network's subnet to be known.
void check_addresses(const Node& file, const Project& project, const Service& service) {
    for (const NetworkUse& use : service.networks) {
        const Network& network = project.networks.at(use.network);
        if (network.external) continue;
        auto check = [&](const char* key, const std::string& address, const std::string& subnet) {
            if (address.empty()) return;
            const Node& at = nearest(file, {"services", service.name, "networks", use.network, key});
            if (subnet.empty())
                fail(at, fmt::format("the network {} has no subnet of its own", use.network),
                     "give it one under networks.*.ipam.config");
            if (!subnet_holds(subnet, address)) fail(at, fmt::format("{} is not in the subnet {}", address, subnet));
        };
        check("ipv4_address", use.ipv4_address, network.subnet);
        check("ipv6_address", use.ipv6_address, network.subnet6);
    }
}

/// Depth first; `path` holds the services on the way.
void visit(const Node& file, const Project& project, const std::string& name, std::set<std::string>& done,
           std::vector<std::string>& path) {
    if (done.contains(name)) return;
    if (auto found = std::find(path.begin(), path.end(), name); found != path.end()) {
        std::vector<std::string> cycle(found, path.end());
        cycle.push_back(name);
        fail(nearest(file, {"services", cycle[0], "depends_on"}),
             fmt::format("dependency cycle detected: {}", fmt::join(cycle, " -> ")));
    }
    path.push_back(name);
    for (const Dependency& dependency : project.services.at(name).depends_on) {
        visit(file, project, dependency.service, done, path);
    }
    path.pop_back();
    done.insert(name);
}

void check_container_names(const Node& file, const Project& project) {
    std::map<std::string, std::string> owners;
    for (const auto& [name, service] : project.services) {
        // `<project>-<service>-<number>`
        if (project.name.size() + name.size() + 7 > 255)
            fail(nearest(file, {"services", name}), "its containers' names would be longer than 255 characters");
        if (service.container_name.empty()) continue;
        auto [owner, added] = owners.emplace(service.container_name, name);
        if (added) continue;
        fail(nearest(file, {"services", name, "container_name"}),
             fmt::format("container name \"{}\" is already in use by service {}", service.container_name,
                         owner->second));
    }
}

void drop_unused(Project& project) {
    std::set<std::string> networks, volumes, secrets, configs;
    for (const auto& [name, service] : project.services) {
        for (const NetworkUse& use : service.networks) networks.insert(use.network);
        for (const VolumeMount& mount : service.volumes) volumes.insert(mount.type == "volume" ? mount.source : "");
        for (const FileUse& use : service.secrets) secrets.insert(use.source);
        for (const FileUse& use : service.configs) configs.insert(use.source);
    }
    auto drop = [](auto& declared, const std::set<std::string>& used) {
        std::erase_if(declared, [&](const auto& entry) { return !used.contains(entry.first); });
    };
    drop(project.networks, networks);
    drop(project.volumes, volumes);
    drop(project.secrets, secrets);
    drop(project.configs, configs);
}

}  // namespace

void check_project(const Node& file, const std::map<std::string, std::vector<std::string>>& disabled,
                   Project& project) {
    for (auto& [name, service] : project.services) {
        check_dependencies(file, disabled, project, service);
        check_references(file, project, service);
        check_addresses(file, project, service);
    }
    std::set<std::string> done;
    std::vector<std::string> path;
    for (const auto& [name, service] : project.services) visit(file, project, name, done, path);
    check_container_names(file, project);
    check_ports(file, project);
    drop_unused(project);
}

}  // namespace kedge::sources
