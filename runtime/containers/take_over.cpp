#include "runtime/containers/container_engine.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

bool publishes(const ContainerSpec& spec, const PortBinding& wanted) {
    return std::any_of(spec.ports.begin(), spec.ports.end(), [&](const PortBinding& port) {
        return port.container_port == wanted.container_port && port.protocol == wanted.protocol &&
               (port.host_port == 0 || port.host_port == wanted.host_port);
    });
}

}  // namespace

void ContainerEngine::take_over_ports(const std::string& from, const std::string& to) {
    Snapshot old = store_.find(from), next = store_.find(to);
    if (old->info.id == next->info.id) throw Error(Code::invalid_argument, "a container can't take over its own ports");
    auto old_live = live(old->info.id), next_live = live(next->info.id);
    std::scoped_lock lock(old_live->operation, next_live->operation);
    old = running(old->info.id);
    next = running(next->info.id);
    for (const PortBinding& port : old->info.ports) {
        if (!next->info.spec.publish_all && !publishes(next->info.spec, port)) {
            throw Error(Code::conflict, fmt::format("container {} does not publish port {}, which {} has",
                                                    next->info.name, port.container_port, old->info.name));
        }
    }
    // An agent that dies in between finds the ports where the records say they were.
    networks_.move_ports(old->info.id, next->info.id, [&](const std::vector<PortBinding>& ports) {
        store_.change_both(old->info.id, next->info.id, [&](ContainerRecord& a, ContainerRecord& b) {
            b.info.ports = ports;
            b.ports_published = true;
            a.info.ports.clear();
            a.ports_published = false;
        });
    });
}

}  // namespace kedge::runtime
