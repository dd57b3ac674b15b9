#include "cli/stats_rows.h"

#include "cli/format.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// A number somewhere below; 0 if it isn't there.
uint64_t number_at(const json& object, const char* path) {
    const json::json_pointer pointer(path);
    if (!object.contains(pointer)) return 0;
    const json& value = object.at(pointer);
    return value.is_number() ? value.get<uint64_t>() : 0;
}

double percent(double part, double whole) {
    return whole > 0 && part > 0 ? part / whole * 100 : 0;
}

/// Of one processor, between the two samples of the answer.
double cpu_percent(const json& stats) {
    auto difference = [&](const char* key) {
        const std::string path = key;
        return static_cast<double>(number_at(stats, ("/cpu_stats" + path).c_str())) -
               static_cast<double>(number_at(stats, ("/precpu_stats" + path).c_str()));
    };
    if (number_at(stats, "/precpu_stats/system_cpu_usage") == 0) return 0;  // there is one sample only
    return percent(difference("/cpu_usage/total_usage"), difference("/system_cpu_usage")) *
           static_cast<double>(number_at(stats, "/cpu_stats/online_cpus"));
}

/// Without what the kernel gives back at need; the word for it is another one on cgroup v1.
uint64_t memory_used(const json& stats) {
    const uint64_t usage = number_at(stats, "/memory_stats/usage");
    for (const char* path : {"/memory_stats/stats/total_inactive_file", "/memory_stats/stats/inactive_file"}) {
        if (uint64_t cache = number_at(stats, path); cache > 0 && cache < usage) return usage - cache;
        if (stats.contains(json::json_pointer(path))) return usage;
    }
    return usage;
}

std::string pair_of_sizes(uint64_t first, uint64_t second) {
    return human_size(static_cast<int64_t>(first)) + " / " + human_size(static_cast<int64_t>(second));
}

std::string network_text(const json& stats) {
    uint64_t received = 0, sent = 0;
    for (const json& interface : stats.value("networks", json::object())) {
        received += number_at(interface, "/rx_bytes");
        sent += number_at(interface, "/tx_bytes");
    }
    return pair_of_sizes(received, sent);
}

std::string block_text(const json& stats) {
    const json::json_pointer path("/blkio_stats/io_service_bytes_recursive");
    uint64_t read = 0, written = 0;
    for (const json& count : stats.contains(path) && stats.at(path).is_array() ? stats.at(path) : json::array()) {
        const std::string operation = text_of(count, "op");
        if (operation == "Read" || operation == "read") read += number_at(count, "/value");
        if (operation == "Write" || operation == "write") written += number_at(count, "/value");
    }
    return pair_of_sizes(read, written);
}

}  // namespace

bool is_sample(const json& stats) {
    return text_of(stats, "read") != "0001-01-01T00:00:00Z";
}

std::string human_memory(uint64_t bytes) {
    constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto size = static_cast<double>(bytes);
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < kUnits.size()) {
        size /= 1024;
        ++unit;
    }
    return fmt::format("{:.4g}{}", size, kUnits[unit]);
}

json stats_row(const json& stats, const std::string& asked, bool no_trunc) {
    const std::string id = text_of(stats, "id");
    std::string name = text_of(stats, "name");
    if (name.starts_with("/")) name.erase(0, 1);
    const uint64_t used = memory_used(stats), limit = number_at(stats, "/memory_stats/limit");
    return {{"Container", asked},
            {"ID", no_trunc ? id : short_id(id)},
            {"Name", name},
            {"CPUPerc", fmt::format("{:.2f}%", cpu_percent(stats))},
            {"MemUsage", human_memory(used) + " / " + human_memory(limit)},
            {"MemPerc", fmt::format("{:.2f}%", percent(static_cast<double>(used), static_cast<double>(limit)))},
            {"NetIO", network_text(stats)},
            {"BlockIO", block_text(stats)},
            {"PIDs", std::to_string(number_at(stats, "/pids_stats/current"))}};
}

json unknown_stats_row(const std::string& asked, bool no_trunc) {
    return {{"Container", asked},    {"ID", no_trunc ? asked : asked.substr(0, 12)},
            {"Name", "--"},          {"CPUPerc", "--"},
            {"MemUsage", "-- / --"}, {"MemPerc", "--"},
            {"NetIO", "--"},         {"BlockIO", "--"},
            {"PIDs", "--"}};
}

}  // namespace kedge::cli
