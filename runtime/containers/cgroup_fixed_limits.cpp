#include "runtime/containers/cgroup_fixed_limits.h"

#include "base/error.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroups.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

namespace kedge::runtime {

namespace {

struct Group {
    std::string folder;
    bool v2 = false;
};

bool find_group(const std::vector<CgroupHierarchy>& hierarchies, const std::string& path, const char* v1,
                const char* v2, Group& group) {
    auto found = std::find_if(hierarchies.begin(), hierarchies.end(),
                              [&](const CgroupHierarchy& h) { return h.has(h.v2 ? v2 : v1); });
    if (found == hierarchies.end()) return false;
    group = {found->mount_point + "/" + path, found->v2};
    return true;
}

struct Rate {
    std::vector<DeviceLimit> FixedLimits::*list;
    const char* v1;
    const char* v2;
};

const Rate kRates[] = {
    {&FixedLimits::read_bytes, "blkio.throttle.read_bps_device", "rbps="},
    {&FixedLimits::write_bytes, "blkio.throttle.write_bps_device", "wbps="},
    {&FixedLimits::read_operations, "blkio.throttle.read_iops_device", "riops="},
    {&FixedLimits::write_operations, "blkio.throttle.write_iops_device", "wiops="},
};

void write_rates(const Group& group, const FixedLimits& limits) {
    for (const Rate& rate : kRates) {
        for (const DeviceLimit& limit : limits.*rate.list) {
            const std::string value = std::to_string(limit.value);
            must_write(group.folder, group.v2 ? "io.max" : rate.v1,
                       device_number(limit.path) + " " + (group.v2 ? rate.v2 : "") + value);
        }
    }
}

/// Only some schedulers have weights, and each has a file of its own.
void write_weights(const Group& group, const FixedLimits& limits, std::vector<std::string>& warnings) {
    const std::vector<const char*> files =
        group.v2 ? std::vector<const char*>{"io.bfq.weight"}
                 : std::vector<const char*>{"blkio.weight_device", "blkio.bfq.weight_device"};
    for (const char* file : files) {
        if (!group_file_exists(group.folder + "/" + file)) continue;
        for (const DeviceLimit& weight : limits.weights) {
            const std::string text = device_number(weight.path) + " " + std::to_string(weight.value);
            const int error = write_group_file(group.folder + "/" + file, text);
            if (error == EOPNOTSUPP)
                warnings.push_back("the scheduler of " + weight.path + " has no weights: its weight is not in force");
            else if (error != 0)
                throw errno_error(std::string("cannot set ") + file + " of the container to " + text, error);
        }
        return;
    }
    warnings.emplace_back("your kernel does not support block I/O weights of devices: they are not in force");
}

void write_memory(const Group& group, const FixedLimits& limits, std::vector<std::string>& warnings) {
    if (group.v2) {
        if (limits.swappiness >= 0)
            warnings.emplace_back("cgroup v2 has no swappiness of a container: it is not in force");
        if (limits.oom_kill_disable)
            warnings.emplace_back(
                "cgroup v2 can't keep a container from being killed when memory is short: it is not "
                "in force");
        return;
    }
    if (limits.swappiness >= 0) must_write(group.folder, "memory.swappiness", std::to_string(limits.swappiness));
    if (limits.oom_kill_disable) must_write(group.folder, "memory.oom_control", "1");
}

}  // namespace

void write_fixed_limits(const std::vector<CgroupHierarchy>& hierarchies, const std::string& path,
                        const FixedLimits& limits, std::vector<std::string>& warnings) {
    const bool rates =
        std::any_of(std::begin(kRates), std::end(kRates), [&](const Rate& r) { return !(limits.*r.list).empty(); });
    Group group;
    if (rates || !limits.weights.empty()) {
        if (find_group(hierarchies, path, "blkio", "io", group)) {
            write_rates(group, limits);
            if (!limits.weights.empty()) write_weights(group, limits, warnings);
        } else {
            warnings.emplace_back("this machine has no blkio cgroup: limits of devices are not in force");
        }
    }
    if (limits.swappiness < 0 && !limits.oom_kill_disable) return;
    if (find_group(hierarchies, path, "memory", "memory", group))
        write_memory(group, limits, warnings);
    else
        warnings.emplace_back("this machine has no memory cgroup: the limit is not in force");
}

std::string device_number(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        const int error = errno;
        throw Error(Code::invalid_argument, "device " + path + ": " + errno_error("", error).what());
    }
    if (!S_ISBLK(info.st_mode)) throw Error(Code::invalid_argument, "device " + path + ": not a block device");
    return std::to_string(major(info.st_rdev)) + ":" + std::to_string(minor(info.st_rdev));
}

}  // namespace kedge::runtime
