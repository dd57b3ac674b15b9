#include "runtime/containers/container_engine.h"

#include "base/error.h"

namespace kedge::runtime {

void ContainerEngine::take_over_ports(const std::string& from, const std::string& to) {
    Snapshot old = store_.find(from), next = store_.find(to);
    if (old->info.id == next->info.id) throw Error(Code::invalid_argument, "a container can't take over its own ports");
    auto old_live = live(old->info.id), next_live = live(next->info.id);
    std::scoped_lock lock(old_live->operation, next_live->operation);
    old = running(old->info.id);
    next = running(next->info.id);
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
