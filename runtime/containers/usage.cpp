#include "runtime/containers/container_engine.h"

#include "base/error.h"
#include "base/fd.h"
#include "runtime/containers/cgroups.h"
#include "runtime/containers/process_list.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace kedge::runtime {

/// A running or paused container.
ContainerEngine::Snapshot ContainerEngine::up(const std::string& id) const {
    Snapshot record = store_.find(id);
    return record->info.status == Status::paused ? record : running(record->info.id);
}

std::vector<ProcessInfo> ContainerEngine::processes(const std::string& id) {
    Snapshot record = up(id);
    const std::string group = launcher_.group(record->info.id);
    std::vector<ProcessInfo> list;
    for (int pid : launcher_.cgroups().processes(group)) {
        if (auto process = read_process(pid)) list.push_back(std::move(*process));
    }
    // Numbers are given anew: who was read and is in the group still, or again, is the container's.
    const std::vector<int> still = launcher_.cgroups().processes(group);
    std::erase_if(list, [&](const ProcessInfo& p) { return !std::binary_search(still.begin(), still.end(), p.pid); });
    publish(*record, "top");
    return list;
}

ContainerUsage ContainerEngine::usage(const std::string& id) const {
    Snapshot record = up(id);
    auto run = run_of(record->info.id);
    ContainerUsage usage = launcher_.cgroups().usage(launcher_.group(record->info.id));
    read_machine(usage);
    if (run && record->info.spec.network_mode != "host") {
        try {
            usage.networks =
                parse_interfaces(read_file_at(AT_FDCWD, fmt::format("/proc/{}/net/dev", run->init.pid), 1u << 20));
        } catch (const Error&) {
            // It has ended: found out below.
        }
    }
    // What was read was another container's, or nothing, only if this one has ended.
    pollfd ended{run ? run->init_pidfd.get() : -1, POLLIN, 0};
    if (!run || ::poll(&ended, 1, 0) != 0)
        throw Error(Code::conflict, fmt::format("container {} is not running", record->info.id));
    return usage;
}

}  // namespace kedge::runtime
