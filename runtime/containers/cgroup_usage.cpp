#include "base/error.h"
#include "base/text.h"
#include "runtime/containers/cgroup_files.h"
#include "runtime/containers/cgroups.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace kedge::runtime {

namespace {

using Table = std::map<std::string, uint64_t>;

uint64_t at(const Table& table, const char* key) {
    auto found = table.find(key);
    return found == table.end() ? 0 : found->second;
}

bool read_number(std::string_view text, uint64_t& number) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// `8:16`
bool read_device(std::string_view text, IoCount& count) {
    size_t colon = text.find(':');
    return colon != std::string_view::npos && read_number(text.substr(0, colon), count.major) &&
           read_number(text.substr(colon + 1), count.minor);
}

void read_throttling(const Table& stat, const char* time, uint64_t unit, CpuUsage& cpu) {
    cpu.periods = at(stat, "nr_periods");
    cpu.throttled_periods = at(stat, "nr_throttled");
    cpu.throttled_time = at(stat, time) * unit;
}

void read_cpu_v1(const std::string& folder, CpuUsage& cpu) {
    cpu.total = read_group_number(folder + "/cpuacct.usage").value_or(0);
    for (const std::string& text : split(read_group_file(folder + "/cpuacct.usage_percpu"), ' ')) {
        if (uint64_t number = 0; read_number(text, number)) cpu.per_processor.push_back(number);
    }
    const Table stat = read_group_table(folder + "/cpuacct.stat");
    const uint64_t tick = 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
    cpu.user = at(stat, "user") * tick;
    cpu.kernel = at(stat, "system") * tick;
}

void read_cpu_v2(const std::string& folder, CpuUsage& cpu) {
    const Table stat = read_group_table(folder + "/cpu.stat");
    cpu.total = at(stat, "usage_usec") * 1000;
    cpu.user = at(stat, "user_usec") * 1000;
    cpu.kernel = at(stat, "system_usec") * 1000;
    read_throttling(stat, "throttled_usec", 1000, cpu);
}

void read_memory(const CgroupHierarchy& h, const std::string& folder, MemoryUsage& memory) {
    memory.details = read_group_table(folder + "/memory.stat");
    memory.usage = read_group_number(folder + (h.v2 ? "/memory.current" : "/memory.usage_in_bytes")).value_or(0);
    const uint64_t machine =
        static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    memory.limit = std::min(
        machine, read_group_number(folder + (h.v2 ? "/memory.max" : "/memory.limit_in_bytes")).value_or(machine));
    if (h.v2) return;
    memory.most = read_group_number(folder + "/memory.max_usage_in_bytes");
    memory.fails = read_group_number(folder + "/memory.failcnt");
}

/// Lines such as `8:0 Read 4096`; the sum over all devices, `Total 4096`, is none of a device.
std::vector<IoCount> io_counts_v1(const std::string& path) {
    std::vector<IoCount> counts;
    for (const std::string& line : split(read_group_file(path), '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        IoCount count;
        if (words.size() != 3 || !read_device(words[0], count) || !read_number(words[2], count.value)) continue;
        count.operation = words[1];
        counts.push_back(count);
    }
    return counts;
}

void read_io_v1(const std::string& folder, ContainerUsage& usage) {
    // The scheduler's own counts where it has any; the others are of all that passed by.
    for (const char* prefix : {"/blkio.bfq.", "/blkio.", "/blkio.throttle."}) {
        usage.io_bytes = io_counts_v1(folder + prefix + "io_service_bytes_recursive");
        usage.io_operations = io_counts_v1(folder + prefix + "io_serviced_recursive");
        if (!usage.io_bytes.empty() || !usage.io_operations.empty()) return;
    }
}

/// Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
void read_io_v2(const std::string& folder, ContainerUsage& usage) {
    for (const std::string& line : split(read_group_file(folder + "/io.stat"), '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        IoCount count;
        if (!read_device(words.front(), count)) continue;
        for (const std::string& word : words) {
            size_t equals = word.find('=');
            if (equals == std::string::npos || !read_number(std::string_view(word).substr(equals + 1), count.value))
                continue;
            const std::string key = word.substr(0, equals);
            count.operation = key.starts_with('r') ? "read" : "write";
            if (key == "rbytes" || key == "wbytes") usage.io_bytes.push_back(count);
            if (key == "rios" || key == "wios") usage.io_operations.push_back(count);
        }
    }
}

constexpr int kDeepest = 32;  // groups below a container's, which only a privileged one can make

void add_processes(const std::string& folder, int depth, std::vector<int>& pids) {
    for (const std::string& line : split(read_group_file(folder + "/cgroup.procs"), '\n')) {
        // 0: of a namespace of process numbers that isn't ours.
        if (uint64_t pid = 0; read_number(line, pid) && pid > 0) pids.push_back(static_cast<int>(pid));
    }
    if (depth >= kDeepest) return;
    std::error_code gone;
    for (std::filesystem::directory_iterator at(folder, gone), end; !gone && at != end; at.increment(gone)) {
        std::error_code gone_too;
        if (at->is_directory(gone_too)) add_processes(at->path(), depth + 1, pids);
    }
}

}  // namespace

std::vector<int> Cgroups::processes(const std::string& path) const {
    std::vector<int> pids;
    if (hierarchies_.empty()) return pids;
    add_processes(group_folder((v2() ? *v2() : hierarchies_.front()).mount_point, path), 0, pids);
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    return pids;
}

ContainerUsage Cgroups::usage(const std::string& path) const {
    ContainerUsage usage;
    auto folder = [&](const CgroupHierarchy& h) { return h.mount_point + "/" + path; };
    if (const CgroupHierarchy* h = with("cpuacct"))
        read_cpu_v1(folder(*h), usage.cpu);
    else if (v2())
        read_cpu_v2(folder(*v2()), usage.cpu);
    if (const CgroupHierarchy* h = with("cpu"); h && !h->v2)
        read_throttling(read_group_table(folder(*h) + "/cpu.stat"), "throttled_time", 1, usage.cpu);
    if (const CgroupHierarchy* h = with("memory")) read_memory(*h, folder(*h), usage.memory);
    if (const CgroupHierarchy* h = with("pids")) {
        usage.processes = read_group_number(folder(*h) + "/pids.current");
        usage.process_limit = read_group_number(folder(*h) + "/pids.max");
    }
    if (const CgroupHierarchy* h = with("blkio"))
        read_io_v1(folder(*h), usage);
    else if (v2())
        read_io_v2(folder(*v2()), usage);
    return usage;
}

}  // namespace kedge::runtime
