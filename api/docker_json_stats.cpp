#include "api/docker_json.h"
#include "runtime/container_usage.h"
#include "runtime/containers.h"

#include <nlohmann/json.hpp>

namespace kedge::api {

using nlohmann::json;
using runtime::ContainerUsage;

namespace {

json cpu_json(const ContainerUsage* usage) {
    if (!usage) {
        return {{"cpu_usage", {{"total_usage", 0}, {"usage_in_kernelmode", 0}, {"usage_in_usermode", 0}}},
                {"throttling_data", {{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
    }
    const runtime::CpuUsage& cpu = usage->cpu;
    json value = {{"cpu_usage",
                   {{"total_usage", cpu.total}, {"usage_in_kernelmode", cpu.kernel}, {"usage_in_usermode", cpu.user}}},
                  {"system_cpu_usage", cpu.machine},
                  {"online_cpus", cpu.processors},
                  {"throttling_data",
                   {{"periods", cpu.periods},
                    {"throttled_periods", cpu.throttled_periods},
                    {"throttled_time", cpu.throttled_time}}}};
    if (!cpu.per_processor.empty()) value["cpu_usage"]["percpu_usage"] = cpu.per_processor;
    return value;
}

json memory_json(const runtime::MemoryUsage& memory) {
    json value = {{"usage", memory.usage}, {"limit", memory.limit}, {"stats", memory.details}};
    if (memory.most) value["max_usage"] = *memory.most;
    if (memory.fails && *memory.fails > 0) value["failcnt"] = *memory.fails;
    return value;
}

json counts_json(const std::vector<runtime::IoCount>& counts) {
    json list = json::array();
    for (const runtime::IoCount& count : counts) {
        list.push_back(
            {{"major", count.major}, {"minor", count.minor}, {"op", count.operation}, {"value", count.value}});
    }
    return list;
}

json io_json(const ContainerUsage* usage) {
    json value;
    for (const char* key : {"io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive",
                            "io_merged_recursive", "io_time_recursive", "sectors_recursive"}) {
        value[key] = usage ? json::array() : json(nullptr);
    }
    value["io_service_bytes_recursive"] = usage ? counts_json(usage->io_bytes) : json(nullptr);
    value["io_serviced_recursive"] = usage ? counts_json(usage->io_operations) : json(nullptr);
    return value;
}

json networks_json(const std::vector<runtime::InterfaceUsage>& interfaces) {
    json value = json::object();
    for (const runtime::InterfaceUsage& interface : interfaces) {
        const auto& [received, sent] = std::tie(interface.received, interface.sent);
        value[interface.name] = {{"rx_bytes", received.bytes},   {"rx_packets", received.packets},
                                 {"rx_errors", received.errors}, {"rx_dropped", received.dropped},
                                 {"tx_bytes", sent.bytes},       {"tx_packets", sent.packets},
                                 {"tx_errors", sent.errors},     {"tx_dropped", sent.dropped}};
    }
    return value;
}

}  // namespace

json stats_json(const runtime::ContainerInfo& info, const ContainerUsage* now, const ContainerUsage* before) {
    json pids = json::object();
    if (now && now->processes) pids["current"] = *now->processes;
    if (now && now->process_limit) pids["limit"] = *now->process_limit;
    json value = {{"id", info.id},
                  {"name", "/" + info.name},
                  {"read", format_time(now ? now->time : WallTime{})},
                  {"preread", format_time(now && before ? before->time : WallTime{})},
                  {"num_procs", 0},  // of other systems
                  {"storage_stats", json::object()},
                  {"pids_stats", pids},
                  {"cpu_stats", cpu_json(now)},
                  {"precpu_stats", cpu_json(now ? before : nullptr)},
                  {"memory_stats", now ? memory_json(now->memory) : json::object()},
                  {"blkio_stats", io_json(now)}};
    if (now && !now->networks.empty()) value["networks"] = networks_json(now->networks);
    return value;
}

}  // namespace kedge::api
