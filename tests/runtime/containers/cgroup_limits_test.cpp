#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroup_fixed_limits.h"
#include "runtime/containers/cgroups.h"
#include "tests/runtime/containers/launch_fixture.h"

#include <fstream>

namespace kedge::runtime {
namespace {

/// A group of this machine's own hierarchies of one version, removed at the end.
struct Group {
    explicit Group(std::vector<CgroupHierarchy> hierarchies)
        : groups(std::move(hierarchies)),
          parent("kt" + std::to_string(::getpid()) + "-limits"),
          path(parent + "/group") {}
    ~Group() {
        groups.remove(path);
        groups.remove_parent(parent);
    }
    void make(const Resources& resources) {
        std::vector<std::string> warnings;
        groups.make(path, resources, {{'a', -1, -1, "rwm"}}, warnings);
        EXPECT_EQ(warnings, std::vector<std::string>());
    }
    std::string read(const std::string& file) const {
        for (const CgroupHierarchy& h : groups.hierarchies()) {
            const std::string at = h.mount_point + "/" + path + "/" + file;
            if (group_file_exists(at)) return read_group_file(at);
        }
        return "no " + file;
    }
    Cgroups groups;
    std::string parent, path;
};

std::vector<CgroupHierarchy> of_version(bool v2) {
    const Cgroups all;
    std::vector<CgroupHierarchy> chosen;
    for (const CgroupHierarchy& h : all.hierarchies())
        if (h.v2 == v2) chosen.push_back(h);
    return chosen;
}

bool has_memory(const std::vector<CgroupHierarchy>& hierarchies) {
    return std::any_of(hierarchies.begin(), hierarchies.end(),
                       [](const CgroupHierarchy& h) { return h.has("memory"); });
}

Resources memory_and_swap(int64_t memory, int64_t swap) {
    Resources r;
    r.memory = memory << 20;
    r.memory_swap = swap < 0 ? -1 : swap << 20;
    return r;
}

}  // namespace

/// The kernel refuses memory above memory and swap together at any moment: every change in every direction has an order
/// that works.
TEST(CgroupLimits, OfMemoryGoUpAndDownTogetherWithSwap) {
    auto hierarchies = of_version(false);
    if (!has_memory(hierarchies)) GTEST_SKIP() << "the memory cgroup of this machine is not v1";
    Group group(hierarchies);
    group.make({});
    Resources before;
    for (const auto& [memory, swap] : std::vector<std::pair<int64_t, int64_t>>{
             {64, 0}, {256, 512}, {32, 64}, {32, -1}, {512, 512}, {8, 8}, {0, 0}, {100, 200}}) {
        const Resources now = memory_and_swap(memory, swap);
        std::vector<std::string> warnings;
        group.groups.change_limits(group.path, now, before, warnings);
        before = now;
        const std::string unlimited = "9223372036854771712", both = group.read("memory.memsw.limit_in_bytes");
        EXPECT_EQ(group.read("memory.limit_in_bytes"), memory == 0 ? unlimited : std::to_string(now.memory));
        if (both.starts_with("no ")) continue;  // a kernel without limits of swap
        EXPECT_EQ(both, memory == 0 || swap < 0 ? unlimited
                        : swap == 0             ? std::to_string(2 * now.memory)
                                                : std::to_string(now.memory_swap))
            << memory << " " << swap;
    }
}

TEST(CgroupLimits, OfEachKindCanBeSetChangedAndTakenAway) {
    auto hierarchies = of_version(false);
    if (!has_memory(hierarchies)) GTEST_SKIP() << "the cgroups of this machine are not v1";
    Group group(hierarchies);
    Resources first;
    first.nano_cpus = 500'000'000;
    first.cpu_shares = 512;
    first.cpuset_cpus = "0";
    first.cpuset_mems = "0";
    first.pids_limit = 20;
    first.memory_reservation = 32 << 20;
    group.make(first);
    EXPECT_EQ(group.read("cpu.cfs_quota_us"), "50000");
    EXPECT_EQ(group.read("cpuset.cpus"), "0");
    Resources second;
    second.cpu_period = 20000;
    second.cpu_quota = 5000;
    second.pids_limit = 30;
    std::vector<std::string> warnings;
    group.groups.change_limits(group.path, second, first, warnings);
    EXPECT_EQ(group.read("cpu.cfs_period_us"), "20000");
    EXPECT_EQ(group.read("cpu.cfs_quota_us"), "5000");
    EXPECT_EQ(group.read("cpu.shares"), "1024");
    EXPECT_EQ(group.read("pids.max"), "30");
    EXPECT_EQ(group.read("memory.soft_limit_in_bytes"), "9223372036854771712");
    const CgroupHierarchy* cpuset = nullptr;
    for (const CgroupHierarchy& h : hierarchies)
        if (h.has("cpuset")) cpuset = &h;
    if (cpuset) {
        EXPECT_EQ(group.read("cpuset.cpus"),
                  read_group_file(cpuset->mount_point + "/" + group.parent + "/cpuset.cpus"));
    }
    group.groups.change_limits(group.path, {}, second, warnings);
    EXPECT_EQ(group.read("cpu.cfs_quota_us"), "-1");
    EXPECT_EQ(group.read("pids.max"), "max");
    EXPECT_EQ(warnings, std::vector<std::string>());
}

TEST(CgroupLimits, AreAsTheyWereWhenOneOfThemIsRefused) {
    auto hierarchies = of_version(false);
    if (!has_memory(hierarchies)) GTEST_SKIP() << "the cgroups of this machine are not v1";
    Group group(hierarchies);
    Resources before = memory_and_swap(64, 0);
    before.pids_limit = 20;
    group.make(before);
    Resources now = memory_and_swap(128, 0);
    now.pids_limit = 30;
    now.cpuset_cpus = "4000";
    std::vector<std::string> warnings;
    EXPECT_THROW(group.groups.change_limits(group.path, now, before, warnings), Error);
    EXPECT_EQ(group.read("memory.limit_in_bytes"), std::to_string(before.memory));
    EXPECT_EQ(group.read("pids.max"), "20");
}

/// A block device of this machine, as the kernel numbers it; empty if there is none.
std::string a_block_device() {
    for (const char* path : {"/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0"}) {
        try {
            (void)device_number(path);
            return path;
        } catch (const Error&) {
        }
    }
    return {};
}

TEST(CgroupLimits, OfDevicesAndOfWhatIsDoneWhenMemoryIsShortAreSetOnce) {
    auto hierarchies = of_version(false);
    if (!has_memory(hierarchies)) GTEST_SKIP() << "the cgroups of this machine are not v1";
    const std::string device = a_block_device();
    if (device.empty()) GTEST_SKIP() << "this machine has no block device";
    Group group(hierarchies);
    group.make({});
    FixedLimits limits;
    limits.read_bytes = {{device, 1 << 20}};
    limits.write_bytes = {{device, 2 << 20}};
    limits.read_operations = {{device, 100}};
    limits.write_operations = {{device, 200}};
    limits.swappiness = 7;
    limits.oom_kill_disable = true;
    std::vector<std::string> warnings;
    group.groups.fix_limits(group.path, limits, warnings);
    EXPECT_EQ(warnings, std::vector<std::string>());
    const std::string number = device_number(device) + " ";
    EXPECT_EQ(group.read("blkio.throttle.read_bps_device"), number + "1048576");
    EXPECT_EQ(group.read("blkio.throttle.write_bps_device"), number + "2097152");
    EXPECT_EQ(group.read("blkio.throttle.read_iops_device"), number + "100");
    EXPECT_EQ(group.read("blkio.throttle.write_iops_device"), number + "200");
    EXPECT_EQ(group.read("memory.swappiness"), "7");
    EXPECT_TRUE(group.read("memory.oom_control").starts_with("oom_kill_disable 1"));
    FixedLimits weights;
    weights.weights = {{device, 300}};
    group.groups.fix_limits(group.path, weights, warnings);
    const std::string set = number + "300";
    const bool in_force = group.read("blkio.weight_device").find(set) != std::string::npos ||
                          group.read("blkio.bfq.weight_device").find(set) != std::string::npos;
    EXPECT_EQ(warnings.size(), in_force ? 0u : 1u) << "it is in force, or there is a warning";
    EXPECT_THROW((void)device_number("/dev/null"), Error);
    EXPECT_THROW((void)device_number("/dev/no-such-device"), Error);
}

TEST(CgroupLimits, OfTheNewVersionAreInItsOwnWords) {
    auto hierarchies = of_version(true);
    if (!has_memory(hierarchies)) GTEST_SKIP() << "the memory cgroup of this machine is not v2";
    Group group(hierarchies);
    Resources first = memory_and_swap(64, 96);
    first.cpu_period = 20000;
    first.cpu_quota = 5000;
    first.cpu_shares = 512;
    first.pids_limit = 20;
    group.make(first);
    EXPECT_EQ(group.read("memory.max"), std::to_string(64 << 20));
    EXPECT_EQ(group.read("memory.swap.max"), std::to_string(32 << 20));
    EXPECT_EQ(group.read("cpu.max"), "5000 20000");
    EXPECT_EQ(group.read("cpu.weight"), "20");
    Resources second = memory_and_swap(32, -1);
    second.nano_cpus = 500'000'000;
    second.cpuset_cpus = "0";
    std::vector<std::string> warnings;
    group.groups.change_limits(group.path, second, first, warnings);
    EXPECT_EQ(group.read("memory.max"), std::to_string(32 << 20));
    EXPECT_EQ(group.read("memory.swap.max"), "max");
    EXPECT_EQ(group.read("cpu.max"), "50000 100000");
    EXPECT_EQ(group.read("cpu.weight"), "100");
    EXPECT_EQ(group.read("pids.max"), "max");
    EXPECT_EQ(group.read("cpuset.cpus"), "0");
    group.groups.change_limits(group.path, {}, second, warnings);
    EXPECT_EQ(group.read("memory.max"), "max");
    EXPECT_EQ(group.read("cpuset.cpus"), "");
    EXPECT_EQ(warnings, std::vector<std::string>());
}

TEST(CgroupLimits, ThatThisMachineHasNoGroupForAreWarnings) {
    Cgroups none(std::vector<CgroupHierarchy>{});
    Resources wanted;
    wanted.memory = 64 << 20;
    wanted.blkio_weight = 100;
    std::vector<std::string> warnings;
    none.change_limits("x/y", wanted, {}, warnings);
    ASSERT_EQ(warnings.size(), 2u);
    EXPECT_EQ(warnings[0], "this machine has no memory cgroup: the limit is not in force");
    EXPECT_EQ(warnings[1], "this machine has no blkio cgroup: the limit is not in force");
}

}  // namespace kedge::runtime
