#include "runtime/containers/cgroup_limits.h"

#include "base/error.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroups.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr int64_t kPeriod = 100000;  // microseconds
constexpr int64_t kShares = 1024;
constexpr const char* kNoSwapLimit =
    "your kernel does not support swap limit capabilities, memory is limited without swap";

/// One change of limits in the group of one hierarchy.
struct Change {
    const CgroupHierarchy& hierarchy;
    std::string folder;
    const Resources& now;
    const Resources& before;
    std::vector<std::string>& warnings;

    template <typename Field>
    bool differs(Field Resources::*field) const {
        return now.*field != before.*field;
    }
};

std::string limit_v1(int64_t value) {
    return std::to_string(value > 0 ? value : -1);
}

std::string limit_v2(int64_t value) {
    return value > 0 ? std::to_string(value) : "max";
}

/// The kernel wants memory to be at most memory and swap together at every moment.
void change_memory_v1(const Change& c) {
    if (c.differs(&Resources::memory_reservation))
        must_write(c.folder, "memory.soft_limit_in_bytes", limit_v1(c.now.memory_reservation));
    const int64_t swap = swap_limit(c.now), old_swap = swap_limit(c.before);
    const bool memory_changes = c.differs(&Resources::memory), swap_changes = swap != old_swap;
    const bool can_limit_swap = group_file_exists(c.folder + "/memory.memsw.limit_in_bytes");
    if (swap_changes && !can_limit_swap && c.now.memory_swap > 0) c.warnings.emplace_back(kNoSwapLimit);
    auto set_memory = [&] {
        if (memory_changes) must_write(c.folder, "memory.limit_in_bytes", limit_v1(c.now.memory));
    };
    auto set_swap = [&] {
        if (swap_changes && can_limit_swap) must_write(c.folder, "memory.memsw.limit_in_bytes", limit_v1(swap));
    };
    const bool swap_first = old_swap > 0 && (swap <= 0 || swap > old_swap);
    if (swap_first) set_swap();
    set_memory();
    if (!swap_first) set_swap();
}

std::string swap_max(const Resources& resources) {
    int64_t swap = swap_limit(resources);
    return swap <= 0 ? "max" : std::to_string(swap - resources.memory);
}

void change_memory_v2(const Change& c) {
    if (c.differs(&Resources::memory)) must_write(c.folder, "memory.max", limit_v2(c.now.memory));
    if (c.differs(&Resources::memory_reservation))
        must_write(c.folder, "memory.low", std::to_string(c.now.memory_reservation));
    if (swap_max(c.now) == swap_max(c.before)) return;
    if (int error = write_group_file(c.folder + "/memory.swap.max", swap_max(c.now))) {
        if (error != ENOENT) throw errno_error("cannot set memory.swap.max of the container", error);
        if (c.now.memory_swap > 0) c.warnings.emplace_back(kNoSwapLimit);
    }
}

struct Bandwidth {
    int64_t quota = 0;  ///< microseconds in each period; 0: no limit
    int64_t period = kPeriod;
    bool operator==(const Bandwidth&) const = default;
};

Bandwidth bandwidth(const Resources& r) {
    if (r.nano_cpus > 0) return {r.nano_cpus / 10000, kPeriod};
    return {std::max<int64_t>(r.cpu_quota, 0), r.cpu_period > 0 ? r.cpu_period : kPeriod};
}

void change_cpu(const Change& c) {
    const Bandwidth now = bandwidth(c.now);
    const int64_t shares = c.now.cpu_shares > 0 ? std::clamp<int64_t>(c.now.cpu_shares, 2, 262144) : kShares;
    if (c.hierarchy.v2) {
        if (now != bandwidth(c.before))
            must_write(c.folder, "cpu.max", limit_v2(now.quota) + " " + std::to_string(now.period));
        if (!c.differs(&Resources::cpu_shares)) return;
        // Shares run from 2 to 262144, weights from 1 to 10000; no wish is the kernel's 100.
        int64_t weight = c.now.cpu_shares > 0 ? 1 + (shares - 2) * 9999 / 262142 : 100;
        return must_write(c.folder, "cpu.weight", std::to_string(weight));
    }
    if (now != bandwidth(c.before)) {
        must_write(c.folder, "cpu.cfs_period_us", std::to_string(now.period));
        must_write(c.folder, "cpu.cfs_quota_us", limit_v1(now.quota));
    }
    if (c.differs(&Resources::cpu_shares)) must_write(c.folder, "cpu.shares", std::to_string(shares));
}

void change_cpuset(const Change& c) {
    const std::string parent = c.folder.substr(0, c.folder.rfind('/'));
    auto set = [&](const char* file, std::string Resources::*field) {
        if (!c.differs(field)) return;
        std::string wanted = c.now.*field;
        if (wanted.empty()) wanted = c.hierarchy.v2 ? "\n" : read_group_file(parent + "/" + file);
        must_write(c.folder, file, wanted);
    };
    set("cpuset.cpus", &Resources::cpuset_cpus);
    set("cpuset.mems", &Resources::cpuset_mems);
    if (!c.hierarchy.v2) inherit_cpuset(parent, c.folder);
}

void change_pids(const Change& c) {
    if (c.differs(&Resources::pids_limit)) must_write(c.folder, "pids.max", limit_v2(c.now.pids_limit));
}

/// Whose scheduler it is decides which file there is. Weights run from 10 to 1000; those of io.weight from 1 to 10000.
void change_io(const Change& c) {
    if (!c.differs(&Resources::blkio_weight)) return;
    const int64_t weight = c.now.blkio_weight;
    auto text = [](int64_t value) { return std::to_string(value); };
    const std::array<std::pair<const char*, std::string>, 2> files =
        c.hierarchy.v2 ? std::array<std::pair<const char*, std::string>, 2>{{
                             {"io.bfq.weight", text(weight > 0 ? weight : 100)},
                             {"io.weight", text(weight > 0 ? 1 + (weight - 10) * 9999 / 990 : 100)},
                         }}
                       : std::array<std::pair<const char*, std::string>, 2>{{
                             {"blkio.weight", text(weight > 0 ? weight : 500)},
                             {"blkio.bfq.weight", text(weight > 0 ? weight : 100)},
                         }};
    for (const auto& [file, value] : files) {
        if (group_file_exists(c.folder + "/" + file)) return must_write(c.folder, file, value);
    }
    if (weight > 0)
        c.warnings.emplace_back("your kernel does not support block I/O weights: the weight is not in force");
}

struct Kind {
    const char* v1;
    const char* v2;
    bool (*wanted)(const Resources& r);
    void (*change)(const Change& change);
};

const Kind kKinds[] = {
    {"memory", "memory", [](const Resources& r) { return r.memory > 0 || r.memory_reservation > 0; },
     [](const Change& c) { (c.hierarchy.v2 ? change_memory_v2 : change_memory_v1)(c); }},
    {"cpu", "cpu", [](const Resources& r) { return bandwidth(r).quota > 0 || r.cpu_shares > 0; }, change_cpu},
    {"cpuset", "cpuset", [](const Resources& r) { return !r.cpuset_cpus.empty() || !r.cpuset_mems.empty(); },
     change_cpuset},
    {"pids", "pids", [](const Resources& r) { return r.pids_limit > 0; }, change_pids},
    {"blkio", "io", [](const Resources& r) { return r.blkio_weight > 0; }, change_io},
};

}  // namespace

int64_t swap_limit(const Resources& r) {
    if (r.memory <= 0) return r.memory_swap < 0 ? -1 : 0;
    return r.memory_swap == 0 ? r.memory * 2 : r.memory_swap;
}

void write_limits(const std::vector<CgroupHierarchy>& hierarchies, const std::string& path, const Resources& now,
                  const Resources& before, std::vector<std::string>& warnings) {
    for (const Kind& kind : kKinds) {
        auto found = std::find_if(hierarchies.begin(), hierarchies.end(),
                                  [&](const CgroupHierarchy& h) { return h.has(h.v2 ? kind.v2 : kind.v1); });
        if (found != hierarchies.end())
            kind.change({*found, found->mount_point + "/" + path, now, before, warnings});
        else if (kind.wanted(now))
            warnings.push_back(std::string("this machine has no ") + kind.v1 + " cgroup: the limit is not in force");
    }
}

}  // namespace kedge::runtime
