// state, ps, list, events.
#include "base/error.h"
#include "runtime/containers/process_list.h"
#include "runtime/oci/commands.h"

namespace kedge::oci {

namespace {

Json io_entries(const std::vector<runtime::IoCount>& counts) {
    Json list = Json::array();
    for (const runtime::IoCount& count : counts)
        list.push_back(
            {{"major", count.major}, {"minor", count.minor}, {"op", count.operation}, {"value", count.value}});
    return list;
}

Json state_of(const State& state, const runtime::Cgroups& cgroups) {
    const Status status = status_of(state, cgroups);
    return state_json(state, status, status == Status::stopped ? 0 : state.init.pid);
}

}  // namespace

Json state(const Runtime& runtime, const std::string& id) {
    return state_of(StateFolder::open(runtime.root, id).load(), runtime::Cgroups());
}

std::vector<int> processes(const Runtime& runtime, const std::string& id) {
    const State state = StateFolder::open(runtime.root, id).load();
    return state.cgroup.empty() ? std::vector<int>() : runtime::Cgroups().processes(state.cgroup);
}

std::vector<Json> list(const Runtime& runtime) {
    const runtime::Cgroups cgroups;
    std::vector<Json> all;
    for (const std::string& id : StateFolder::ids(runtime.root)) {
        try {
            all.push_back(state_of(StateFolder::open(runtime.root, id).load(), cgroups));
        } catch (const Error& e) {
            if (e.code() != Code::not_found) runtime.warn(e.what());
        }
    }
    return all;
}

Json stats(const Runtime& runtime, const std::string& id) {
    const State state = StateFolder::open(runtime.root, id).load();
    const runtime::Cgroups cgroups;
    if (status_of(state, cgroups) == Status::stopped) throw Error(Code::conflict, "container not running");
    const runtime::ContainerUsage usage = cgroups.usage(state.cgroup);
    const runtime::CpuUsage& cpu = usage.cpu;
    const runtime::MemoryUsage& memory = usage.memory;
    Json data;
    data["cpu"] = {
        {"usage", {{"total", cpu.total}, {"percpu", cpu.per_processor}, {"kernel", cpu.kernel}, {"user", cpu.user}}},
        {"throttling",
         {{"periods", cpu.periods},
          {"throttledPeriods", cpu.throttled_periods},
          {"throttledTime", cpu.throttled_time}}}};
    data["memory"] = {{"usage",
                       {{"limit", memory.limit},
                        {"usage", memory.usage},
                        {"max", memory.most.value_or(0)},
                        {"failcnt", memory.fails.value_or(0)}}},
                      {"raw", memory.details}};
    data["pids"] = {{"current", usage.processes.value_or(0)}, {"limit", usage.process_limit.value_or(0)}};
    data["blkio"] = {{"ioServiceBytesRecursive", io_entries(usage.io_bytes)},
                     {"ioServicedRecursive", io_entries(usage.io_operations)}};
    return {{"type", "stats"}, {"id", id}, {"data", std::move(data)}};
}

}  // namespace kedge::oci
