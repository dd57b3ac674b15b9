#pragma once

#include "runtime/containers/cgroups.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kedge::oci {

class Field;

/// A number for one device.
struct DeviceValue {
    std::string where;
    int64_t major = 0, minor = 0;
    std::optional<uint64_t> value, leaf;
};

/// `linux.resources`: what is empty stays as it is.
struct Resources {
    std::optional<std::vector<runtime::DeviceRule>> devices;  ///< in order, denials among them
    std::optional<int64_t> memory, reservation, swap, kernel, kernel_tcp;
    std::optional<uint64_t> swappiness;
    std::optional<bool> disable_oom_killer, use_hierarchy;
    bool check_before_update = false;
    std::optional<uint64_t> shares, period, burst, realtime_period;
    std::optional<int64_t> quota, realtime_runtime, idle;
    std::optional<std::string> processors, memory_nodes;
    std::optional<int64_t> pids;
    std::optional<uint64_t> weight, leaf_weight;
    std::vector<DeviceValue> weights, read_bytes, write_bytes, read_operations, write_operations;
    std::vector<std::pair<std::string, uint64_t>> huge_pages;
    std::optional<uint32_t> class_id;
    std::vector<std::pair<std::string, uint32_t>> priorities;
    std::map<std::string, std::string> rdma;  ///< device: `hca_handle=1 hca_object=2`
    std::map<std::string, std::string> unified;
};

/// Throws Error that names the place.
Resources parse_resources(const Field& resources);

/// Writes them into the files of the group. Throws Error that names the resource which this machine can't limit, or
/// whose value it doesn't take.
void apply_resources(const runtime::Cgroups& cgroups, const std::string& path, const Resources& resources);

/// Which devices the group's processes may use: the rules, and what every container has to have.
void apply_device_rules(const runtime::Cgroups& cgroups, const std::string& path,
                        const std::vector<runtime::DeviceRule>& rules);

}  // namespace kedge::oci
