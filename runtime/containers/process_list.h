#pragma once

#include "runtime/container_usage.h"

#include <optional>
#include <string>
#include <vector>

namespace kedge::runtime {

/// What proc(5) says of a process; nullopt if it has ended.
std::optional<ProcessInfo> read_process(int pid);

/// `/proc/<pid>/stat`, without what stands in other files. False if it makes no sense. Ticks are those of the clock
/// since the machine was started, of which now are `uptime`.
bool parse_process_stat(const std::string& text, Nanoseconds uptime, WallTime now, ProcessInfo& process);

/// `/proc/<pid>/net/dev` without the loopback.
std::vector<InterfaceUsage> parse_interfaces(const std::string& text);

/// Fills in what the whole machine has used: time, machine, processors.
void read_machine(ContainerUsage& usage);

}  // namespace kedge::runtime
