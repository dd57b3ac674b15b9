#include "runtime/oci/resources.h"

#include "runtime/oci/json_field.h"

#include <algorithm>

namespace kedge::oci {

namespace {

template <typename Number>
void take(const Field& field, std::optional<Number>& value) {
    if (field) value = field.number<Number>();
}

/// -1 means without limit, and less means nothing.
void take_limit(const Field& field, std::optional<int64_t>& value) {
    if (field) value = field.number_between<int64_t>(-1, INT64_MAX);
}

std::vector<runtime::DeviceRule> parse_rules(const Field& list) {
    std::vector<runtime::DeviceRule> rules;
    for (const Field& entry : list.items()) {
        runtime::DeviceRule rule;
        if (!entry["allow"]) entry["allow"].refuse("is missing");
        rule.allow = entry["allow"].flag();
        const std::string type = entry["type"].text_or("a");
        if (type != "a" && type != "b" && type != "c" && !type.empty())
            entry["type"].refuse("\"" + type + "\" is not a type of devices: it must be a, b or c");
        rule.type = type.empty() ? 'a' : type[0];
        if (entry["major"]) rule.major = entry["major"].number_between<int64_t>(-1, 4095);
        if (entry["minor"]) rule.minor = entry["minor"].number_between<int64_t>(-1, 1048575);
        const std::string access = entry["access"].text_or("");
        if (access.find_first_not_of("rwm") != std::string::npos)
            entry["access"].refuse("\"" + access + "\" is not made of r, w and m");
        if (!access.empty()) rule.permissions.clear();
        for (char c : std::string("rwm"))
            if (access.find(c) != std::string::npos) rule.permissions += c;
        rules.push_back(std::move(rule));
    }
    return rules;
}

void parse_memory(const Field& memory, Resources& result) {
    take_limit(memory["limit"], result.memory);
    take_limit(memory["reservation"], result.reservation);
    take_limit(memory["swap"], result.swap);
    take_limit(memory["kernel"], result.kernel);
    take_limit(memory["kernelTCP"], result.kernel_tcp);
    if (memory["swappiness"]) result.swappiness = memory["swappiness"].number_between<uint64_t>(0, 100);
    if (memory["disableOOMKiller"]) result.disable_oom_killer = memory["disableOOMKiller"].flag();
    if (memory["useHierarchy"]) result.use_hierarchy = memory["useHierarchy"].flag();
    result.check_before_update = memory["checkBeforeUpdate"].flag();
}

void parse_cpu(const Field& cpu, Resources& result) {
    take(cpu["shares"], result.shares);
    take(cpu["quota"], result.quota);
    take(cpu["burst"], result.burst);
    take(cpu["period"], result.period);
    take(cpu["realtimeRuntime"], result.realtime_runtime);
    take(cpu["realtimePeriod"], result.realtime_period);
    if (cpu["idle"]) result.idle = cpu["idle"].number_between<int64_t>(0, 1);
    if (!cpu["cpus"].text_or("").empty()) result.processors = cpu["cpus"].text();
    if (!cpu["mems"].text_or("").empty()) result.memory_nodes = cpu["mems"].text();
    if (result.quota.value_or(0) > 0 && result.burst.value_or(0) > static_cast<uint64_t>(result.quota.value_or(0)))
        cpu["burst"].refuse("is above the quota");
}

std::vector<DeviceValue> parse_device_values(const Field& list, const char* name) {
    std::vector<DeviceValue> values;
    for (const Field& entry : list.items()) {
        DeviceValue value;
        value.where = entry.path();
        value.major = entry.need("major").number_between<int64_t>(0, 4095);
        value.minor = entry.need("minor").number_between<int64_t>(0, 1048575);
        if (std::string(name) == "rate") {
            value.value = entry.need(name).number<uint64_t>();
        } else {
            take(entry["weight"], value.value);
            take(entry["leafWeight"], value.leaf);
            if (!value.value && !value.leaf) entry["weight"].refuse("is missing");
        }
        values.push_back(std::move(value));
    }
    return values;
}

void parse_block_io(const Field& io, Resources& result) {
    if (io["weight"]) result.weight = io["weight"].number_between<uint64_t>(0, 1000);
    if (io["leafWeight"]) result.leaf_weight = io["leafWeight"].number_between<uint64_t>(0, 1000);
    result.weights = parse_device_values(io["weightDevice"], "weight");
    result.read_bytes = parse_device_values(io["throttleReadBpsDevice"], "rate");
    result.write_bytes = parse_device_values(io["throttleWriteBpsDevice"], "rate");
    result.read_operations = parse_device_values(io["throttleReadIOPSDevice"], "rate");
    result.write_operations = parse_device_values(io["throttleWriteIOPSDevice"], "rate");
}

bool is_page_size(const std::string& text) {
    const size_t digits = text.find_first_not_of("0123456789");
    return digits != 0 && digits != std::string::npos &&
           (text.substr(digits) == "KB" || text.substr(digits) == "MB" || text.substr(digits) == "GB");
}

void parse_network(const Field& network, Resources& result) {
    take(network["classID"], result.class_id);
    for (const Field& entry : network["priorities"].items()) {
        const std::string name = entry.need("name").text();
        if (name.empty() || name.find_first_of(" \n/") != std::string::npos)
            entry["name"].refuse("\"" + name + "\" is not the name of an interface");
        result.priorities.emplace_back(name, entry.need("priority").number<uint32_t>());
    }
}

void parse_rdma(const Field& rdma, Resources& result) {
    for (const auto& [device, limits] : rdma.members()) {
        std::string text;
        if (limits["hcaHandles"]) text += " hca_handle=" + std::to_string(limits["hcaHandles"].number<uint32_t>());
        if (limits["hcaObjects"]) text += " hca_object=" + std::to_string(limits["hcaObjects"].number<uint32_t>());
        if (text.empty()) limits.refuse("has neither hcaHandles nor hcaObjects");
        if (device.empty() || device.find_first_of(" \n/") != std::string::npos)
            limits.refuse("is not the name of a device");
        result.rdma[device] = text;
    }
}

void parse_unified(const Field& unified, Resources& result) {
    for (const auto& [file, value] : unified.members()) {
        // A file of the group itself, and none that moves processes or hands rights on.
        if (file.empty() || file.find('/') != std::string::npos || file.find('.') == std::string::npos ||
            file.starts_with('.') || file.starts_with("cgroup."))
            value.refuse("is not a file of a controller");
        result.unified[file] = value.text();
    }
}

}  // namespace

Resources parse_resources(const Field& object) {
    Resources result;
    if (object["devices"]) result.devices = parse_rules(object["devices"]);
    parse_memory(object["memory"], result);
    parse_cpu(object["cpu"], result);
    if (object["pids"]) result.pids = object["pids"].need("limit").number_between<int64_t>(-1, INT64_MAX);
    parse_block_io(object["blockIO"], result);
    for (const Field& entry : object["hugepageLimits"].items()) {
        const std::string size = entry.need("pageSize").text();
        if (!is_page_size(size)) entry["pageSize"].refuse("\"" + size + "\" is not a size such as 2MB");
        result.huge_pages.emplace_back(size, entry.need("limit").number<uint64_t>());
    }
    parse_network(object["network"], result);
    parse_rdma(object["rdma"], result);
    parse_unified(object["unified"], result);
    return result;
}

}  // namespace kedge::oci
