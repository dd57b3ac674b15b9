#include "runtime/system_paths.h"

#include <algorithm>
#include <filesystem>

namespace kedge::runtime {

namespace {

/// How often a processor was too hot tells about the neighbours' work.
std::vector<std::string> heat_of_processors() {
    std::vector<std::string> paths;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/devices/system/cpu", failure)) {
        std::filesystem::path path = entry.path() / "thermal_throttle";
        if (std::filesystem::exists(path, failure)) paths.push_back(path.string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::vector<std::string> default_masked_paths() {
    std::vector<std::string> paths = {"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
                                      "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
                                      "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                                      "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
    for (std::string& path : heat_of_processors()) paths.push_back(std::move(path));
    return paths;
}

}  // namespace

std::vector<std::string> masked_paths(const ContainerSpec& spec) {
    static const std::vector<std::string> kDefault = default_masked_paths();
    if (spec.masked_paths) return *spec.masked_paths;
    return spec.privileged ? std::vector<std::string>{} : kDefault;
}

std::vector<std::string> readonly_paths(const ContainerSpec& spec) {
    if (spec.readonly_paths) return *spec.readonly_paths;
    if (spec.privileged) return {};
    return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

}  // namespace kedge::runtime
