#include "reconciler/observe.h"

#include "reconciler/labels.h"
#include "reconciler/render.h"
#include "runtime/engine.h"

#include <charconv>
#include <set>

namespace kedge::reconciler {

namespace {

const std::string& value(const std::map<std::string, std::string>& labels, const char* key) {
    static const std::string none;
    auto found = labels.find(key);
    return found == labels.end() ? none : found->second;
}

ObservedContainer observed(const runtime::ContainerInfo& info, const History& history) {
    ObservedContainer container;
    container.info = info;
    container.service = value(info.spec.labels, kServiceLabel);
    const std::string& number = value(info.spec.labels, kNumberLabel);
    (void)std::from_chars(number.data(), number.data() + number.size(),
                          container.number);  // stays 1 when it is no number
    container.config_hash = value(info.spec.labels, kConfigHashLabel);
    auto name = history.retired_names.find(info.id);
    container.retired = name != history.retired_names.end() && name->second != info.name;
    return container;
}

}  // namespace

Machine observe_containers(runtime::Engine& engine) {
    Machine machine;
    machine.containers = engine.containers().snapshots();
    for (size_t i = 0; i < machine.containers.size(); ++i) {
        const std::string& project = value(machine.containers[i]->spec.labels, kProjectLabel);
        if (!project.empty()) machine.by_project.emplace(project, i);
    }
    return machine;
}

Machine observe_machine(runtime::Engine& engine) {
    Machine machine = observe_containers(engine);
    machine.networks = engine.networks().list();
    machine.volumes = engine.volumes().list();
    for (size_t i = 0; i < machine.containers.size(); ++i) machine.by_name[machine.containers[i]->name] = i;
    return machine;
}

Observed observe(const Machine& machine, const Target& target, const History& history) {
    std::set<size_t> chosen;
    auto [begin, end] = machine.by_project.equal_range(target.project.name);
    for (auto i = begin; i != end; ++i) chosen.insert(i->second);
    for (const auto& [name, service] : target.project.services) {
        for (int number = 1; number <= service.replicas; ++number) {
            auto found = machine.by_name.find(container_name(target.project, service, number));
            if (found != machine.by_name.end()) chosen.insert(found->second);
        }
    }
    Observed result;
    result.containers.reserve(chosen.size());
    for (size_t i : chosen) result.containers.push_back(observed(*machine.containers[i], history));

    std::set<std::string> networks, volumes;
    for (const auto& [key, network] : target.project.networks) networks.insert(network.name);
    for (const auto& [key, volume] : target.project.volumes) volumes.insert(volume.name);
    for (const runtime::NetworkInfo& network : machine.networks) {
        bool own = value(network.spec.labels, kProjectLabel) == target.project.name;
        if (own || networks.contains(network.spec.name)) result.networks.push_back(network);
    }
    for (const runtime::VolumeInfo& volume : machine.volumes) {
        if (volumes.contains(volume.spec.name)) result.volumes.push_back(volume);
    }
    return result;
}

}  // namespace kedge::reconciler
