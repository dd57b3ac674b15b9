#include "cli/stats_rows.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kedge::cli {
namespace {

using nlohmann::json;

json sample() {
    return json::parse(R"({"id":"0123456789abcdef0123","name":"/web","read":"2026-01-02T03:04:05Z",
        "cpu_stats":{"cpu_usage":{"total_usage":3000000000},"system_cpu_usage":20000000000,"online_cpus":4},
        "precpu_stats":{"cpu_usage":{"total_usage":2500000000},"system_cpu_usage":16000000000,"online_cpus":4},
        "memory_stats":{"usage":1000000,"limit":67108864,"stats":{"total_inactive_file":475712,"inactive_file":1}},
        "pids_stats":{"current":3},
        "networks":{"eth0":{"rx_bytes":500,"tx_bytes":1200},"eth1":{"rx_bytes":72,"tx_bytes":34}},
        "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":4096},{"op":"Write","value":1000000},
            {"op":"Sync","value":7},{"op":"read","value":4}]}})");
}

}  // namespace

TEST(StatsRows, AreWorkedOutAsDockersAre) {
    EXPECT_EQ(stats_row(sample(), "web", false), (json{{"Container", "web"},
                                                       {"ID", "0123456789ab"},
                                                       {"Name", "web"},
                                                       {"CPUPerc", "50.00%"},
                                                       {"MemUsage", "512KiB / 64MiB"},
                                                       {"MemPerc", "0.78%"},
                                                       {"NetIO", "572B / 1.23kB"},
                                                       {"BlockIO", "4.1kB / 1MB"},
                                                       {"PIDs", "3"}}));
    EXPECT_EQ(stats_row(sample(), "web", true)["ID"], "0123456789abcdef0123");
}

TEST(StatsRows, LeaveOutTheCacheThatCgroupV2CountsInItsOwnWords) {
    json stats = sample();
    stats["memory_stats"]["stats"] = {{"inactive_file", 900000}};
    EXPECT_EQ(stats_row(stats, "web", false)["MemUsage"], "97.66KiB / 64MiB");
    stats["memory_stats"]["stats"] = {{"inactive_file", 2000000}};
    EXPECT_EQ(stats_row(stats, "web", false)["MemUsage"], "976.6KiB / 64MiB") << "more cache than memory is none";
}

TEST(StatsRows, OfOneSampleTellNoShareOfTheProcessor) {
    json stats = sample();
    stats["precpu_stats"] = {{"cpu_usage", {{"total_usage", 0}}}};
    EXPECT_EQ(stats_row(stats, "web", false)["CPUPerc"], "0.00%");
    stats = sample();
    stats["cpu_stats"]["cpu_usage"]["total_usage"] = 1;
    EXPECT_EQ(stats_row(stats, "web", false)["CPUPerc"], "0.00%") << "another run, which counts anew";
}

TEST(StatsRows, OfWhatDoesNotRunAreZero) {
    json stats = json::parse(R"({"id":"0123456789abcdef","name":"/web","read":"0001-01-01T00:00:00Z","memory_stats":{},
        "pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null}})");
    EXPECT_FALSE(is_sample(stats));
    EXPECT_TRUE(is_sample(sample()));
    json row = stats_row(stats, "web", false);
    EXPECT_EQ(row["CPUPerc"], "0.00%");
    EXPECT_EQ(row["MemUsage"], "0B / 0B");
    EXPECT_EQ(row["MemPerc"], "0.00%");
    EXPECT_EQ(row["NetIO"], "0B / 0B");
    EXPECT_EQ(row["BlockIO"], "0B / 0B");
    EXPECT_EQ(row["PIDs"], "0");
    EXPECT_EQ(unknown_stats_row("web", false)["MemUsage"], "-- / --");
}

TEST(StatsRows, WriteMemoryWithFourDigits) {
    EXPECT_EQ(human_memory(0), "0B");
    EXPECT_EQ(human_memory(1023), "1023B");
    EXPECT_EQ(human_memory(524 << 10), "524KiB");
    EXPECT_EQ(human_memory(25276510208), "23.54GiB");
}

}  // namespace kedge::cli
