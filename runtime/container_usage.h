#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {

// What a running container uses, as the kernel counts it. Times are nanoseconds, sizes bytes.

struct CpuUsage {
    uint64_t total = 0, user = 0, kernel = 0;
    std::vector<uint64_t> per_processor;  ///< cgroup v1 only
    uint64_t machine = 0;                 ///< of all processors of the machine since it started, idle or not
    int processors = 0;
    uint64_t periods = 0, throttled_periods = 0, throttled_time = 0;
};

struct MemoryUsage {
    uint64_t usage = 0;
    uint64_t limit = 0;                       ///< the machine's memory where there is none
    std::optional<uint64_t> most, fails;      ///< cgroup v1 only
    std::map<std::string, uint64_t> details;  ///< memory.stat, whose words differ between cgroup v1 and v2
};

/// Bytes or operations of one kind on one block device.
struct IoCount {
    uint64_t major = 0, minor = 0;
    std::string operation;  ///< as the kernel calls it: `Read`, `Total` ... on cgroup v1, `read` and `write` on v2
    uint64_t value = 0;
};

/// One interface of the container's network namespace.
struct InterfaceUsage {
    struct Direction {
        uint64_t bytes = 0, packets = 0, errors = 0, dropped = 0;
    };
    std::string name;
    Direction received, sent;
};

struct ContainerUsage {
    WallTime time;
    CpuUsage cpu;
    MemoryUsage memory;
    std::optional<uint64_t> processes, process_limit;  ///< threads too
    std::vector<IoCount> io_bytes, io_operations;
    std::vector<InterfaceUsage> networks;  ///< without the loopback
};

/// A process of a container, as the host sees it (proc(5)).
struct ProcessInfo {
    int pid = 0, parent = 0, group = 0, session = 0, terminal_group = 0;
    uint64_t terminal = 0;  ///< device number; 0: none
    char state = '?';
    unsigned flags = 0;
    uint32_t user = 0, effective_user = 0, gid = 0, effective_gid = 0;
    std::string name;                    ///< at most 15 bytes
    std::vector<std::string> arguments;  ///< empty: a zombie
    WallTime started;
    Nanoseconds age{0};
    Nanoseconds cpu_time{0};
    int priority = 0, nice = 0, threads = 0, processor = 0;
    uint64_t virtual_memory = 0, resident = 0;  ///< bytes
    uint64_t locked_pages = 0;                  ///< kB
    std::string waits_in;                       ///< the kernel's function; empty: none, or not to be known
};

}  // namespace kedge::runtime
