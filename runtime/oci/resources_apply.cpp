#include "base/error.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/oci/resources.h"

#include <algorithm>
#include <cerrno>

namespace kedge::oci {

namespace {

using runtime::CgroupHierarchy;
using runtime::group_file_exists;
using runtime::read_group_file;
using runtime::read_group_number;
using runtime::write_group_file;

/// The group in the hierarchy of one controller.
struct Group {
    std::string folder;
    bool v2 = false;

    std::string file(const std::string& name) const { return folder + "/" + name; }
    bool has(const std::string& name) const { return group_file_exists(file(name)); }
};

class Writer {
public:
    Writer(const runtime::Cgroups& cgroups, std::string path) : cgroups_(cgroups), path_(std::move(path)) {}

    /// Of the controller, which is called differently on v2. Error that names `field` if the machine has none.
    Group need(const char* v1, const char* v2, const std::string& field) const {
        for (const CgroupHierarchy& h : cgroups_.hierarchies()) {
            if (h.has(h.v2 ? v2 : v1)) return {h.mount_point + "/" + path_, h.v2};
        }
        throw Error(Code::invalid_argument, where(field) + "this machine has no control groups of " + v1);
    }

    /// Error that names `field` if the kernel doesn't take the value.
    void write(const Group& group, const std::string& file, const std::string& value, const std::string& field) const {
        const int error = write_group_file(group.file(file), value);
        if (error == ENOENT) throw Error(Code::invalid_argument, where(field) + "this machine has no " + file);
        if (error != 0) throw errno_error(where(field) + "cannot write " + value + " into " + file, error);
    }

    [[noreturn]] static void refuse(const std::string& field, const std::string& why) {
        throw Error(Code::invalid_argument, where(field) + why);
    }
    const std::string& path() const { return path_; }
    const runtime::Cgroups& cgroups() const { return cgroups_; }

private:
    static std::string where(const std::string& field) { return "linux.resources." + field + ": "; }

    const runtime::Cgroups& cgroups_;
    std::string path_;
};

std::string max_or(int64_t value) {
    return value < 0 ? "max" : std::to_string(value);
}

/// The kernel wants memory to be at most memory and swap together at every moment.
void write_memory_v1(const Writer& w, const Group& group, const Resources& r) {
    auto memory = [&] {
        if (r.memory) w.write(group, "memory.limit_in_bytes", std::to_string(*r.memory), "memory.limit");
    };
    auto swap = [&] {
        if (r.swap) w.write(group, "memory.memsw.limit_in_bytes", std::to_string(*r.swap), "memory.swap");
    };
    const uint64_t now = read_group_number(group.file("memory.memsw.limit_in_bytes")).value_or(0);
    const bool swap_grows = r.swap && (*r.swap < 0 || static_cast<uint64_t>(*r.swap) > now);
    // Without a limit on memory there is none on both together either.
    if (r.memory && *r.memory < 0 && !r.swap && group.has("memory.memsw.limit_in_bytes"))
        w.write(group, "memory.memsw.limit_in_bytes", "-1", "memory.limit");
    if (swap_grows) swap();
    memory();
    if (!swap_grows) swap();
    if (r.reservation)
        w.write(group, "memory.soft_limit_in_bytes", std::to_string(*r.reservation), "memory.reservation");
    if (r.kernel_tcp)
        w.write(group, "memory.kmem.tcp.limit_in_bytes", std::to_string(*r.kernel_tcp), "memory.kernelTCP");
    if (r.swappiness) w.write(group, "memory.swappiness", std::to_string(*r.swappiness), "memory.swappiness");
    // On kernels where it can't be chosen any more it is so.
    if (r.use_hierarchy && group.has("memory.use_hierarchy"))
        w.write(group, "memory.use_hierarchy", *r.use_hierarchy ? "1" : "0", "memory.useHierarchy");
    if (r.disable_oom_killer)
        w.write(group, "memory.oom_control", *r.disable_oom_killer ? "1" : "0", "memory.disableOOMKiller");
    // Newer kernels have no limit of their own for kernel memory: it counts with the rest.
    if (r.kernel && *r.kernel >= 0)
        w.write(group, "memory.kmem.limit_in_bytes", std::to_string(*r.kernel), "memory.kernel");
}

void write_memory_v2(const Writer& w, const Group& group, const Resources& r) {
    if (r.disable_oom_killer.value_or(false)) w.refuse("memory.disableOOMKiller", "cgroup v2 has no such switch");
    if (r.use_hierarchy.has_value() && !*r.use_hierarchy)
        w.refuse("memory.useHierarchy", "cgroup v2 is always hierarchical");
    if (r.kernel.value_or(-1) >= 0) w.refuse("memory.kernel", "cgroup v2 has no limit of kernel memory alone");
    if (r.kernel_tcp.value_or(-1) >= 0) w.refuse("memory.kernelTCP", "cgroup v2 has no limit of TCP buffers alone");
    if (r.swappiness) w.refuse("memory.swappiness", "cgroup v2 has none for a group");
    if (r.check_before_update && r.memory && *r.memory >= 0) {
        const uint64_t used = read_group_number(group.file("memory.current")).value_or(0);
        if (used > static_cast<uint64_t>(*r.memory))
            w.refuse("memory.limit",
                     std::to_string(*r.memory) + " is less than what is in use: " + std::to_string(used));
    }
    if (r.swap) {
        // Memory and swap together here, swap alone there.
        if (*r.swap >= 0 && !(r.memory && *r.memory >= 0))
            w.refuse("memory.swap", "is given without a limit of memory");
        if (*r.swap >= 0 && *r.swap < *r.memory) w.refuse("memory.swap", "is less than the limit of memory");
        w.write(group, "memory.swap.max", *r.swap < 0 ? "max" : std::to_string(*r.swap - *r.memory), "memory.swap");
    } else if (r.memory && *r.memory < 0 && group.has("memory.swap.max")) {
        w.write(group, "memory.swap.max", "max", "memory.limit");
    }
    if (r.memory) w.write(group, "memory.max", max_or(*r.memory), "memory.limit");
    if (r.reservation) w.write(group, "memory.low", max_or(*r.reservation), "memory.reservation");
}

void write_memory(const Writer& w, const Resources& r) {
    if (!r.memory && !r.reservation && !r.swap && !r.kernel && !r.kernel_tcp && !r.swappiness && !r.use_hierarchy &&
        !r.disable_oom_killer)
        return;
    const Group group = w.need("memory", "memory", "memory");
    (group.v2 ? write_memory_v2 : write_memory_v1)(w, group, r);
}

/// Shares run from 2 to 262144, weights from 1 to 10000.
std::string weight_of_shares(uint64_t shares) {
    return std::to_string(1 + (std::clamp<uint64_t>(shares, 2, 262144) - 2) * 9999 / 262142);
}

void write_cpu_v2(const Writer& w, const Group& group, const Resources& r) {
    if (r.realtime_runtime.value_or(0) != 0) w.refuse("cpu.realtimeRuntime", "cgroup v2 has no real-time limits");
    if (r.realtime_period.value_or(0) != 0) w.refuse("cpu.realtimePeriod", "cgroup v2 has no real-time limits");
    if (r.idle) w.write(group, "cpu.idle", std::to_string(*r.idle), "cpu.idle");
    if (r.shares.value_or(0) != 0) w.write(group, "cpu.weight", weight_of_shares(*r.shares), "cpu.shares");
    if (r.quota.value_or(0) != 0 || r.period.value_or(0) != 0) {
        // `max 100000`: what isn't given stays.
        const std::string now = read_group_file(group.file("cpu.max"));
        std::string quota = now.substr(0, now.find(' ')), period = now.substr(std::min(now.size(), now.find(' ') + 1));
        if (r.quota.value_or(0) != 0) quota = *r.quota < 0 ? "max" : std::to_string(*r.quota);
        if (r.period.value_or(0) != 0) period = std::to_string(*r.period);
        w.write(group, "cpu.max", quota + " " + period, "cpu.quota");
    }
    if (r.burst) w.write(group, "cpu.max.burst", std::to_string(*r.burst), "cpu.burst");
}

void write_cpu_v1(const Writer& w, const Group& group, const Resources& r) {
    if (r.realtime_period.value_or(0) != 0)
        w.write(group, "cpu.rt_period_us", std::to_string(*r.realtime_period), "cpu.realtimePeriod");
    if (r.realtime_runtime.value_or(0) != 0)
        w.write(group, "cpu.rt_runtime_us", std::to_string(*r.realtime_runtime), "cpu.realtimeRuntime");
    if (r.idle) w.write(group, "cpu.idle", std::to_string(*r.idle), "cpu.idle");
    if (r.shares.value_or(0) != 0)
        w.write(group, "cpu.shares", std::to_string(std::clamp<uint64_t>(*r.shares, 2, 262144)), "cpu.shares");
    // A burst must never be above the quota: it goes before a smaller one and comes after a larger one.
    const bool lower_first =
        r.burst && r.quota && *r.quota > 0 && *r.burst < read_group_number(group.file("cpu.cfs_burst_us")).value_or(0);
    auto burst = [&] {
        if (r.burst) w.write(group, "cpu.cfs_burst_us", std::to_string(*r.burst), "cpu.burst");
    };
    if (lower_first) burst();
    if (r.period.value_or(0) != 0) w.write(group, "cpu.cfs_period_us", std::to_string(*r.period), "cpu.period");
    if (r.quota.value_or(0) != 0) w.write(group, "cpu.cfs_quota_us", std::to_string(*r.quota), "cpu.quota");
    if (!lower_first) burst();
}

void write_cpu(const Writer& w, const Resources& r) {
    if (r.shares.value_or(0) || r.quota.value_or(0) || r.period.value_or(0) || r.burst || r.idle ||
        r.realtime_period.value_or(0) || r.realtime_runtime.value_or(0)) {
        const Group group = w.need("cpu", "cpu", "cpu");
        (group.v2 ? write_cpu_v2 : write_cpu_v1)(w, group, r);
    }
    if (!r.processors && !r.memory_nodes) return;
    const Group group = w.need("cpuset", "cpuset", "cpu.cpus");
    if (r.processors) w.write(group, "cpuset.cpus", *r.processors, "cpu.cpus");
    if (r.memory_nodes) w.write(group, "cpuset.mems", *r.memory_nodes, "cpu.mems");
    if (!group.v2) runtime::inherit_cpuset(group.folder.substr(0, group.folder.rfind('/')), group.folder);
}

std::string device(const DeviceValue& value) {
    return std::to_string(value.major) + ":" + std::to_string(value.minor);
}

/// The scheduler of disks decides which file there is; those of weights from 1 to 10000 are v2's own.
void write_weight(const Writer& w, const Group& group, uint64_t weight, const std::string& of,
                  const std::string& field) {
    const std::string prefix = of.empty() ? "" : of + " ";
    if (group.v2) {
        if (group.has("io.bfq.weight")) return w.write(group, "io.bfq.weight", prefix + std::to_string(weight), field);
        if (group.has("io.weight"))
            return w.write(group, "io.weight",
                           (of.empty() ? "default " : prefix) +
                               std::to_string(1 + (std::clamp<uint64_t>(weight, 10, 1000) - 10) * 9999 / 990),
                           field);
        w.refuse(field, "this machine can't weigh block devices");
    }
    const std::string suffix = of.empty() ? "" : "_device";
    for (const std::string& file : {"blkio.weight" + suffix, "blkio.bfq.weight" + suffix})
        if (group.has(file)) return w.write(group, file, prefix + std::to_string(weight), field);
    w.refuse(field, "this machine can't weigh block devices");
}

void write_rates(const Writer& w, const Group& group, const std::vector<DeviceValue>& values, const char* v1,
                 const char* v2, const char* field) {
    for (const DeviceValue& value : values) {
        const std::string number = std::to_string(value.value.value_or(0));
        if (group.v2)  // 0 takes the limit away
            w.write(group, "io.max", device(value) + " " + v2 + "=" + (number == "0" ? "max" : number), field);
        else
            w.write(group, v1, device(value) + " " + number, field);
    }
}

void write_block_io(const Writer& w, const Resources& r) {
    if (!r.weight.value_or(0) && !r.leaf_weight.value_or(0) && r.weights.empty() && r.read_bytes.empty() &&
        r.write_bytes.empty() && r.read_operations.empty() && r.write_operations.empty())
        return;
    const Group group = w.need("blkio", "io", "blockIO");
    if (r.weight.value_or(0)) write_weight(w, group, *r.weight, "", "blockIO.weight");
    if (r.leaf_weight.value_or(0))
        w.write(group, "blkio.leaf_weight", std::to_string(*r.leaf_weight), "blockIO.leafWeight");
    for (const DeviceValue& value : r.weights) {
        if (value.value.value_or(0)) write_weight(w, group, *value.value, device(value), "blockIO.weightDevice");
        if (value.leaf.value_or(0))
            w.write(group, "blkio.leaf_weight_device", device(value) + " " + std::to_string(*value.leaf),
                    "blockIO.weightDevice");
    }
    write_rates(w, group, r.read_bytes, "blkio.throttle.read_bps_device", "rbps", "blockIO.throttleReadBpsDevice");
    write_rates(w, group, r.write_bytes, "blkio.throttle.write_bps_device", "wbps", "blockIO.throttleWriteBpsDevice");
    write_rates(w, group, r.read_operations, "blkio.throttle.read_iops_device", "riops",
                "blockIO.throttleReadIOPSDevice");
    write_rates(w, group, r.write_operations, "blkio.throttle.write_iops_device", "wiops",
                "blockIO.throttleWriteIOPSDevice");
}

void write_huge_pages(const Writer& w, const Resources& r) {
    for (const auto& [size, limit] : r.huge_pages) {
        const Group group = w.need("hugetlb", "hugetlb", "hugepageLimits");
        const std::string end = group.v2 ? "max" : "limit_in_bytes", file = "hugetlb." + size + ".";
        w.write(group, file + end, std::to_string(limit), "hugepageLimits");
        // Where reservations are counted they are limited too: a program then fails when it asks, and not later.
        if (group.has(file + "rsvd." + end))
            w.write(group, file + "rsvd." + end, std::to_string(limit), "hugepageLimits");
    }
}

void write_network(const Writer& w, const Resources& r) {
    if (r.class_id)
        w.write(w.need("net_cls", "net_cls", "network.classID"), "net_cls.classid", std::to_string(*r.class_id),
                "network.classID");
    for (const auto& [name, priority] : r.priorities)
        w.write(w.need("net_prio", "net_prio", "network.priorities"), "net_prio.ifpriomap",
                name + " " + std::to_string(priority), "network.priorities");
}

void write_unified(const Writer& w, const Resources& r) {
    for (const auto& [file, value] : r.unified) {
        const std::string controller = file.substr(0, file.find('.'));
        const auto& all = w.cgroups().hierarchies();
        auto found = std::find_if(all.begin(), all.end(), [](const CgroupHierarchy& h) { return h.v2; });
        if (found == all.end()) w.refuse("unified", "this machine has no cgroup v2");
        if (!found->has(controller))
            w.refuse("unified[\"" + file + "\"]", "the controller " + controller + " is not available on cgroup v2");
        w.write({found->mount_point + "/" + w.path(), true}, file, value, "unified[\"" + file + "\"]");
    }
}

}  // namespace

void apply_resources(const runtime::Cgroups& cgroups, const std::string& path, const Resources& r) {
    const Writer w(cgroups, path);
    write_memory(w, r);
    write_cpu(w, r);
    if (r.pids) w.write(w.need("pids", "pids", "pids"), "pids.max", max_or(*r.pids), "pids.limit");
    write_block_io(w, r);
    write_huge_pages(w, r);
    write_network(w, r);
    for (const auto& [device, limits] : r.rdma)
        w.write(w.need("rdma", "rdma", "rdma"), "rdma.max", device + limits, "rdma");
    write_unified(w, r);
}

void apply_device_rules(const runtime::Cgroups& cgroups, const std::string& path,
                        const std::vector<runtime::DeviceRule>& rules) {
    std::vector<runtime::DeviceRule> all = rules;
    // Any node may be made: opening it is what is limited. Then what every container has: null, zero, full, random,
    // urandom, tty, console, ptmx and terminals.
    all.push_back({'c', -1, -1, "m"});
    all.push_back({'b', -1, -1, "m"});
    for (int64_t minor : {3, 5, 7, 8, 9}) all.push_back({'c', 1, minor, "rwm"});
    for (int64_t minor : {0, 1, 2}) all.push_back({'c', 5, minor, "rwm"});
    all.push_back({'c', 136, -1, "rwm"});
    std::vector<std::string> warnings;
    cgroups.limit_devices(path, all, warnings);
    if (!warnings.empty()) throw Error(Code::invalid_argument, "linux.resources.devices: " + warnings.front());
}

}  // namespace kedge::oci
