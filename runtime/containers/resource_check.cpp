#include "runtime/containers/resource_check.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "runtime/containers/cgroup_fixed_limits.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace kedge::runtime {

namespace {

constexpr int64_t kLeastMemory = 6 << 20;
constexpr unsigned kMostNumber = 8191;  // of a processor or memory node

template <typename... Arguments>
[[noreturn]] void refuse(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    throw Error(Code::invalid_argument, fmt::format(text, std::forward<Arguments>(arguments)...));
}

bool read_number(std::string_view text, unsigned& number) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc() && end == text.data() + text.size() && !text.empty() && number <= kMostNumber;
}

/// `0-2,4`; false if it is none.
bool read_list(std::string_view text, std::set<unsigned>& numbers) {
    for (const std::string& part : split(text, ',')) {
        const size_t dash = part.find('-');
        unsigned first = 0, last = 0;
        if (!read_number(std::string_view(part).substr(0, dash), first)) return false;
        last = first;
        if (dash != std::string::npos && !read_number(std::string_view(part).substr(dash + 1), last)) return false;
        if (last < first) return false;
        for (unsigned number = first; number <= last; ++number) numbers.insert(number);
    }
    return true;
}

/// The list in one of the machine's files; one without that file has number 0 alone.
std::string list_in(const std::string& path) {
    try {
        std::string text = read_file_at(AT_FDCWD, path, 65536);
        return text.substr(0, text.find('\n'));
    } catch (const Error&) {
        return "0";
    }
}

void check_list(const std::string& wanted, const char* kind, const char* things, const std::string& online) {
    if (wanted.empty()) return;
    std::set<unsigned> asked, there;
    if (!read_list(wanted, asked)) refuse("Invalid value {} for {}: invalid format: {}", wanted, kind, wanted);
    const std::string available = list_in(online);
    if (!read_list(available, there)) return;  // the kernel decides
    if (!std::includes(there.begin(), there.end(), asked.begin(), asked.end()))
        refuse("Requested {} are not available - requested {}, available: {}", things, wanted, available);
}

void check_memory(const Resources& r) {
    if (r.memory < 0 || (r.memory > 0 && r.memory < kLeastMemory)) refuse("Minimum memory limit allowed is 6MB");
    if (r.memory_swap < -1) refuse("invalid memory swap limit {}", r.memory_swap);
    if (r.memory > 0 && r.memory_swap > 0 && r.memory_swap < r.memory)
        refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    if (r.memory_reservation < 0 || (r.memory_reservation > 0 && r.memory_reservation < kLeastMemory))
        refuse("Minimum memory reservation allowed is 6MB");
    if (r.memory > 0 && r.memory_reservation > r.memory)
        refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
}

void check_cpu(const Resources& r) {
    if (r.nano_cpus > 0 && r.cpu_period > 0) refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (r.nano_cpus > 0 && r.cpu_quota > 0) refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
    if (r.nano_cpus < 0 || r.nano_cpus > processors * 1'000'000'000) {
        refuse("range of CPUs is from 0.01 to {}.00, as there are only {} CPUs available", processors, processors);
    }
    if (r.nano_cpus > 0 && r.nano_cpus < 10'000'000)
        refuse("range of CPUs is from 0.01 to {}.00, as there are only {} CPUs available", processors, processors);
    if (r.cpu_period != 0 && (r.cpu_period < 1000 || r.cpu_period > 1'000'000)) {
        refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    }
    if (r.cpu_quota < -1 || (r.cpu_quota > 0 && r.cpu_quota < 1000))
        refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (r.cpu_shares < 0) refuse("invalid CPU shares: {}", r.cpu_shares);
    check_list(r.cpuset_cpus, "cpuset cpus", "CPUs", "/sys/devices/system/cpu/online");
    check_list(r.cpuset_mems, "cpuset mems", "memory nodes", "/sys/devices/system/node/online");
}

void check_io(const Resources& r) {
    if (r.blkio_weight != 0 && (r.blkio_weight < 10 || r.blkio_weight > 1000))
        refuse("Range of blkio weight is from 10 to 1000");
}

}  // namespace

void check_resources(const Resources& r) {
    check_memory(r);
    if (r.memory_swap > 0 && r.memory == 0)
        refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
    check_cpu(r);
    check_io(r);
}

void check_fixed_limits(const FixedLimits& limits) {
    for (const DeviceLimit& weight : limits.weights) {
        if (weight.value < 10 || weight.value > 1000)
            refuse("invalid weight for device: {}:{}", weight.path, weight.value);
    }
    for (auto list : {&FixedLimits::weights, &FixedLimits::read_bytes, &FixedLimits::write_bytes,
                      &FixedLimits::read_operations, &FixedLimits::write_operations}) {
        for (const DeviceLimit& limit : limits.*list) {
            if (limit.path.empty() || limit.path[0] != '/') refuse("bad format for device path: {}", limit.path);
            if (limit.value <= 0) refuse("invalid rate for device: {}:{}", limit.path, limit.value);
            (void)device_number(limit.path);
        }
    }
    if (limits.swappiness < -1 || limits.swappiness > 100)
        refuse("Invalid value: {}, valid memory swappiness range is 0-100", limits.swappiness);
}

void check_restart(const RestartPolicy& policy) {
    if (policy.maximum_retries < 0) refuse("invalid restart policy: maximum retry count cannot be negative");
    if (policy.maximum_retries > 0 && policy.name != RestartPolicy::Name::on_failure) {
        refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
    }
}

void check_update(const ContainerUpdate& update) {
    check_memory(update.resources);
    check_cpu(update.resources);
    check_io(update.resources);
    if (update.restart) check_restart(*update.restart);
}

}  // namespace kedge::runtime
