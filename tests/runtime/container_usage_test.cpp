#include "tests/runtime/engine_fixture.h"

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Usage : test::EngineFixture {
    std::string ready(const ContainerSpec& spec) {
        std::string id = run(spec);
        EXPECT_TRUE(wait_for_log(id, "ready"));
        return id;
    }
    /// The number in a file of the container's groups, by its name on cgroup v1 or v2.
    uint64_t number(const std::string& id, const std::string& v1, const std::string& v2) {
        for (const std::string& root : group_roots(instance)) {
            for (const std::string& file : {v1, v2}) {
                if (file.empty()) continue;
                std::string path = root + "/" + id + "/" + file;
                if (::access(path.c_str(), F_OK) == 0) return std::stoull(read_file_at(AT_FDCWD, path));
            }
        }
        ADD_FAILURE() << "no file " << v1 << " or " << v2;
        return 0;
    }
};

}  // namespace

TEST_F(Usage, AgreesWithTheFilesOfTheControlGroups) {
    ContainerSpec spec = shell(
        "dd if=/dev/zero of=/tmp/x bs=1M count=8 2>/dev/null; i=0; while [ $i -lt 20000 ]; do "
        "i=$((i+1)); done; sleep 1000 & echo ready; wait");
    spec.resources.memory = 64 << 20;
    spec.resources.pids_limit = 20;
    std::string id = ready(spec);
    containers().pause(id);  // so that nothing changes while it is compared
    bool first_version = false;
    for (const std::string& root : group_roots(instance))
        first_version = first_version || ::access((root + "/" + id + "/cpuacct.usage").c_str(), F_OK) == 0;
    // What they did before they were stopped may be counted later, at the end of a slice of time.
    const uint64_t at_least = first_version ? number(id, "cpuacct.usage", "") : 0;
    // The kernel may still give back a page or two that it had counted in advance.
    auto memory = [&] { return number(id, "memory.usage_in_bytes", "memory.current"); };
    uint64_t memory_before = 0;
    ContainerUsage usage;
    do {
        memory_before = memory();
        usage = containers().usage(id);
    } while (memory() != memory_before);
    const uint64_t at_most = first_version ? number(id, "cpuacct.usage", "") : UINT64_MAX;
    EXPECT_EQ(usage.memory.limit, 64u << 20);
    EXPECT_EQ(usage.memory.usage, memory_before);
    EXPECT_EQ(usage.processes, 2u);
    EXPECT_EQ(usage.processes, number(id, "pids.current", "pids.current"));
    EXPECT_EQ(usage.process_limit, 20u);
    EXPECT_GE(usage.cpu.total, at_least);
    EXPECT_LE(usage.cpu.total, at_most);
    if (first_version) {
        uint64_t sum = 0;
        for (uint64_t each : usage.cpu.per_processor) sum += each;
        EXPECT_GE(sum, at_least);
        EXPECT_LE(sum, at_most);
        EXPECT_EQ(usage.memory.most, number(id, "memory.max_usage_in_bytes", ""));
    }
    EXPECT_GT(usage.cpu.total, 1'000'000u);
    EXPECT_GT(usage.cpu.machine, usage.cpu.total);
    EXPECT_EQ(usage.cpu.processors, ::sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT_FALSE(usage.memory.details.empty());
    EXPECT_TRUE(usage.networks.empty()) << "it has none but the loopback";
}

TEST_F(Usage, GrowsWithWhatIsDone) {
    std::string id = ready(shell("echo ready; sleep 1000"));
    ASSERT_EQ(exec(id, "true").exit_code, 0);
    ContainerUsage before = containers().usage(id);
    ASSERT_EQ(exec(id, "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done").exit_code, 0);
    ContainerUsage after = containers().usage(id);
    EXPECT_GT(after.cpu.total, before.cpu.total);
    EXPECT_GT(after.cpu.machine, before.cpu.machine);
    EXPECT_GT(after.time, before.time);
}

TEST_F(Usage, CountsTheInterfacesOfItsNetworks) {
    make_network("net");
    ContainerSpec spec = shell("echo ready; sleep 1000", "web");
    spec.networks = {on("net")};
    std::string id = ready(spec);
    ContainerUsage before = containers().usage(id);
    ASSERT_EQ(before.networks.size(), 1u);
    EXPECT_EQ(before.networks[0].name, "eth0");
    const std::string gateway = containers().inspect(id).endpoints.at(0).gateway;
    ASSERT_EQ(exec(id, "ping -c 3 -i 0.2 -s 1000 " + gateway).exit_code, 0);
    ContainerUsage after = containers().usage(id);
    EXPECT_GE(after.networks.at(0).sent.bytes, before.networks[0].sent.bytes + 3000);
    EXPECT_GE(after.networks.at(0).received.packets, before.networks[0].received.packets + 3);
    ContainerSpec host = shell("echo ready; sleep 1000", "host");
    host.network_mode = "host";
    EXPECT_TRUE(containers().usage(ready(host)).networks.empty()) << "the host's interfaces are not its own";
}

TEST_F(Usage, OfWhatDoesNotRunIsAConflict) {
    std::string id = containers().create(shell("true"));
    EXPECT_EQ(code_of([&] { (void)containers().usage(id); }), Code::conflict);
    Code code = Code::internal;
    EXPECT_EQ(refusal([&] { (void)containers().processes(id); }, &code), "container " + id + " is not running");
    EXPECT_EQ(code, Code::conflict);
    EXPECT_EQ(code_of([&] { (void)containers().usage("nosuch"); }), Code::not_found);
    EXPECT_EQ(code_of([&] { (void)containers().processes("nosuch"); }), Code::not_found);
}

TEST_F(Usage, ListsItsProcessesAndNobodyElses) {
    ContainerSpec spec = shell("sleep 1000 & sleep 2000 & echo ready; wait");
    spec.user = "1000";
    std::string id = ready(spec), other = ready(shell("echo ready; sleep 3000"));
    std::vector<ProcessInfo> list = containers().processes(id);
    ASSERT_EQ(list.size(), 3u);
    const ContainerInfo info = containers().inspect(id);
    EXPECT_EQ(list[0].pid, info.pid);
    EXPECT_EQ(list[1].parent, info.pid);
    EXPECT_EQ(list[1].arguments, (std::vector<std::string>{"sleep", "1000"}));
    EXPECT_EQ(list[2].arguments, (std::vector<std::string>{"sleep", "2000"}));
    EXPECT_EQ(list[0].effective_user, 1000u);
    containers().pause(id);
    EXPECT_EQ(containers().processes(id).size(), 3u) << "also while it is paused";
    EXPECT_EQ(containers().processes(other).size(), 1u);
}
