#include "base/durable.h"
#include "runtime/containers/cgroups.h"
#include "runtime/containers/process_list.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace kedge::runtime {
namespace {

/// A folder with the files of a group, as texts.
struct GroupFiles : testing::Test {
    void SetUp() override { ASSERT_NE(::mkdtemp(folder.data()), nullptr); }
    void TearDown() override { std::filesystem::remove_all(folder); }
    void put(const std::string& file, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(folder + "/" + file).parent_path());
        Fd made = open_at(AT_FDCWD, folder + "/" + file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        write_all(made.get(), text);
    }
    std::string folder = "/tmp/kedge-usage-XXXXXX";
};

std::string text_of(const std::vector<IoCount>& counts) {
    std::string text;
    for (const IoCount& c : counts) {
        text += std::to_string(c.major) + ":" + std::to_string(c.minor) + " " + c.operation + " " +
                std::to_string(c.value) + "\n";
    }
    return text;
}

}  // namespace

TEST_F(GroupFiles, OfTheFirstVersionAreRead) {
    put("cpu/g/cpuacct.usage", "123456789\n");
    put("cpu/g/cpuacct.usage_percpu", "100000000 23456789 \n");
    put("cpu/g/cpuacct.stat", "user 7\nsystem 5\n");
    put("cpu/g/cpu.stat", "nr_periods 10\nnr_throttled 3\nthrottled_time 4000\n");
    put("memory/g/memory.usage_in_bytes", "5000\n");
    put("memory/g/memory.max_usage_in_bytes", "9000\n");
    put("memory/g/memory.failcnt", "2\n");
    put("memory/g/memory.limit_in_bytes", "67108864\n");
    put("memory/g/memory.stat", "cache 12\ntotal_inactive_file 800\n");
    put("pids/g/pids.current", "3\n");
    put("pids/g/pids.max", "max\n");
    put("blkio/g/blkio.bfq.io_service_bytes_recursive", "Total 0\n");
    put("blkio/g/blkio.throttle.io_service_bytes_recursive", "8:16 Read 4096\n8:16 Write 100\nTotal 4196\n");
    put("blkio/g/blkio.throttle.io_serviced_recursive", "8:16 Read 1\nnonsense\n8:x Read 1\n");
    Cgroups groups({{folder + "/cpu", false, {"cpu", "cpuacct"}},
                    {folder + "/memory", false, {"memory"}},
                    {folder + "/pids", false, {"pids"}},
                    {folder + "/blkio", false, {"blkio"}}});
    ContainerUsage usage = groups.usage("g");
    EXPECT_EQ(usage.cpu.total, 123456789u);
    EXPECT_EQ(usage.cpu.per_processor, (std::vector<uint64_t>{100000000, 23456789}));
    EXPECT_EQ(usage.cpu.user, uint64_t{7} * 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
    EXPECT_EQ(usage.cpu.kernel, uint64_t{5} * 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
    EXPECT_EQ(usage.cpu.periods, 10u);
    EXPECT_EQ(usage.cpu.throttled_periods, 3u);
    EXPECT_EQ(usage.cpu.throttled_time, 4000u);
    EXPECT_EQ(usage.memory.usage, 5000u);
    EXPECT_EQ(usage.memory.most, 9000u);
    EXPECT_EQ(usage.memory.fails, 2u);
    EXPECT_EQ(usage.memory.limit, 67108864u);
    EXPECT_EQ(usage.memory.details.at("total_inactive_file"), 800u);
    EXPECT_EQ(usage.processes, 3u);
    EXPECT_FALSE(usage.process_limit);
    EXPECT_EQ(text_of(usage.io_bytes), "8:16 Read 4096\n8:16 Write 100\n");
    EXPECT_EQ(text_of(usage.io_operations), "8:16 Read 1\n");
    put("memory/g/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(groups.usage("g").memory.limit,
              static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
}

TEST_F(GroupFiles, OfTheSecondVersionAreRead) {
    put("g/cpu.stat",
        "usage_usec 500\nuser_usec 300\nsystem_usec 200\nnr_periods 4\nnr_throttled 1\nthrottled_usec 9\n");
    put("g/memory.current", "7000\n");
    put("g/memory.max", "67108864\n");
    put("g/memory.stat", "anon 1\ninactive_file 600\n");
    put("g/pids.current", "4\n");
    put("g/pids.max", "20\n");
    put("g/io.stat",
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=3 dios=4\n253:1 rbytes=1 wbytes=0 rios=1 wios=0\n\n");
    Cgroups groups({{folder, true, {"cpu", "memory", "pids", "io"}}});
    ContainerUsage usage = groups.usage("g");
    EXPECT_EQ(usage.cpu.total, 500'000u);
    EXPECT_EQ(usage.cpu.user, 300'000u);
    EXPECT_EQ(usage.cpu.kernel, 200'000u);
    EXPECT_EQ(usage.cpu.throttled_time, 9000u);
    EXPECT_TRUE(usage.cpu.per_processor.empty());
    EXPECT_EQ(usage.memory.usage, 7000u);
    EXPECT_EQ(usage.memory.limit, 67108864u);
    EXPECT_FALSE(usage.memory.most);
    EXPECT_EQ(usage.process_limit, 20u);
    EXPECT_EQ(text_of(usage.io_bytes), "8:0 read 4096\n8:0 write 8192\n253:1 read 1\n253:1 write 0\n");
    EXPECT_EQ(text_of(usage.io_operations), "8:0 read 1\n8:0 write 2\n253:1 read 1\n253:1 write 0\n");
}

TEST_F(GroupFiles, ThatAreMissingAreNoUse) {
    Cgroups groups({{folder, true, {"cpu", "memory", "pids", "io"}}});
    ContainerUsage usage = groups.usage("gone");
    EXPECT_EQ(usage.cpu.total, 0u);
    EXPECT_EQ(usage.memory.usage, 0u);
    EXPECT_FALSE(usage.processes);
    EXPECT_TRUE(usage.io_bytes.empty());
}

TEST_F(GroupFiles, OfGroupsBelowNameProcessesToo) {
    put("g/cgroup.procs", "30\n5\n");
    put("g/inner/cgroup.procs", "7\n0\n");
    put("g/inner/more/cgroup.procs", "5\n6\n");
    Cgroups groups({{folder, true, {}}});
    EXPECT_EQ(groups.processes("g"), (std::vector<int>{5, 6, 7, 30}));
    EXPECT_TRUE(groups.processes("gone").empty());
}

TEST(ProcessStat, IsReadWhateverTheProcessCallsItself) {
    ProcessInfo process;
    const int64_t ticks = ::sysconf(_SC_CLK_TCK);
    const std::string start = std::to_string(100 * ticks);
    ASSERT_TRUE(parse_process_stat("12 (a) S (b) R 3 4 5 34816 7 4194560 1 2 3 4 " + std::to_string(ticks) + " " +
                                       std::to_string(2 * ticks) + " 0 0 20 -5 3 0 " + start +
                                       " 8192 2 1 1 1 1 0 0 0 0 0 0 0 0 0 17 1 0 0\n",
                                   std::chrono::seconds(160), WallTime(std::chrono::seconds(1000)), process));
    EXPECT_EQ(process.pid, 12);
    EXPECT_EQ(process.name, "a) S (b");
    EXPECT_EQ(process.state, 'R');
    EXPECT_EQ(process.parent, 3);
    EXPECT_EQ(process.group, 4);
    EXPECT_EQ(process.session, 5);
    EXPECT_EQ(process.terminal, 34816u);
    EXPECT_EQ(process.terminal_group, 7);
    EXPECT_EQ(process.cpu_time, std::chrono::seconds(3));
    EXPECT_EQ(process.priority, 20);
    EXPECT_EQ(process.nice, -5);
    EXPECT_EQ(process.threads, 3);
    EXPECT_EQ(process.age, std::chrono::seconds(60));
    EXPECT_EQ(process.started, WallTime(std::chrono::seconds(940)));
    EXPECT_EQ(process.virtual_memory, 8192u);
    EXPECT_EQ(process.resident, 2 * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
    EXPECT_EQ(process.processor, 1);
    for (const char* bad : {"", "12", "12 (x", "12 )x( S", "12 (x) S 1 2"}) {
        EXPECT_FALSE(parse_process_stat(bad, {}, {}, process)) << bad;
    }
}

TEST(Interfaces, AreReadWithoutTheLoopback) {
    auto found = parse_interfaces(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
        "carrier compressed\n"
        "    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       "
        "0          0\n"
        "  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n"
        "broken: 1 2\n");
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].name, "eth0");
    EXPECT_EQ(found[0].received.bytes, 1000u);
    EXPECT_EQ(found[0].received.packets, 10u);
    EXPECT_EQ(found[0].received.errors, 1u);
    EXPECT_EQ(found[0].received.dropped, 2u);
    EXPECT_EQ(found[0].sent.bytes, 2000u);
    EXPECT_EQ(found[0].sent.dropped, 4u);
}

TEST(ProcessList, KnowsThisProcess) {
    auto own = read_process(::getpid());
    ASSERT_TRUE(own);
    EXPECT_EQ(own->parent, ::getppid());
    EXPECT_EQ(own->effective_user, ::geteuid());
    EXPECT_GT(own->resident, 0u);
    EXPECT_FALSE(own->arguments.empty());
    EXPECT_FALSE(read_process(0));
    EXPECT_FALSE(read_process(-1));
}

}  // namespace kedge::runtime
