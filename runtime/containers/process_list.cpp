#include "runtime/containers/process_list.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <sstream>

namespace kedge::runtime {

namespace {

constexpr size_t kCommandLimit = 4096;  // of a command line, whose end may be anything
constexpr size_t kFileLimit = 1u << 20;

int64_t ticks_per_second() {
    static const int64_t ticks = ::sysconf(_SC_CLK_TCK);
    return ticks;
}

Nanoseconds from_ticks(uint64_t ticks) {
    return Nanoseconds(static_cast<int64_t>(ticks) * (1'000'000'000 / ticks_per_second()));
}

Nanoseconds uptime() {
    timespec time{};
    (void)::clock_gettime(CLOCK_BOOTTIME, &time);  // can't fail
    return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

/// The beginning of a file, however long it is.
std::string read_beginning(const std::string& path, size_t limit) {
    Fd file = open_at(AT_FDCWD, path, O_RDONLY);
    std::string text(limit, '\0');
    size_t size = 0;
    while (size < limit) {
        ssize_t n = ::read(file.get(), text.data() + size, limit - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno("read " + path);
        if (n == 0) break;
        size += static_cast<size_t>(n);
    }
    text.resize(size);
    return text;
}

void read_status(const std::string& text, ProcessInfo& process) {
    for (const std::string& line : split(text, '\n')) {
        std::istringstream words(line);
        std::string key;
        words >> key;
        if (key == "Uid:") words >> process.user >> process.effective_user;
        if (key == "Gid:") words >> process.gid >> process.effective_gid;
        if (key == "VmLck:") words >> process.locked_pages;
    }
}

std::vector<std::string> read_arguments(const std::string& text) {
    std::string_view rest = text;
    while (!rest.empty() && rest.back() == '\0') rest.remove_suffix(1);
    return rest.empty() ? std::vector<std::string>() : split(rest, '\0');
}

bool read_direction(std::istringstream& words, InterfaceUsage::Direction& direction) {
    return static_cast<bool>(words >> direction.bytes >> direction.packets >> direction.errors >> direction.dropped);
}

}  // namespace

bool parse_process_stat(const std::string& text, Nanoseconds up, WallTime now, ProcessInfo& process) {
    const size_t open = text.find('('), close = text.rfind(')');  // the name between may have any of both
    if (open == std::string::npos || close == std::string::npos || close < open) return false;
    process.name = text.substr(open + 1, close - open - 1);
    (void)std::from_chars(text.data(), text.data() + open, process.pid);
    std::istringstream words(text.substr(close + 1));
    std::string skipped;
    uint64_t user = 0, system = 0, start = 0, pages = 0;
    words >> process.state >> process.parent >> process.group >> process.session >> process.terminal >>
        process.terminal_group >> process.flags;
    for (int field = 10; field < 14; ++field) words >> skipped;
    words >> user >> system >> skipped >> skipped >> process.priority >> process.nice >> process.threads >> skipped >>
        start >> process.virtual_memory >> pages;
    if (!words) return false;
    for (int field = 25; field < 39; ++field) words >> skipped;
    words >> process.processor;
    process.resident = pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    process.cpu_time = from_ticks(user + system);
    process.age = std::max(up - from_ticks(start), Nanoseconds(0));
    process.started = now - process.age;
    return true;
}

std::optional<ProcessInfo> read_process(int pid) {
    const std::string folder = "/proc/" + std::to_string(pid);
    ProcessInfo process;
    try {
        const std::string stat = read_beginning(folder + "/stat", kCommandLimit);
        if (!parse_process_stat(stat, uptime(), wall_now(), process)) return std::nullopt;
        read_status(read_beginning(folder + "/status", kFileLimit), process);
        process.arguments = read_arguments(read_beginning(folder + "/cmdline", kCommandLimit));
    } catch (const Error&) {
        return std::nullopt;
    }
    try {
        process.waits_in = read_beginning(folder + "/wchan", 256);
        if (process.waits_in == "0") process.waits_in.clear();
    } catch (const Error&) {
        // Not everyone may know.
    }
    return process;
}

std::vector<InterfaceUsage> parse_interfaces(const std::string& text) {
    std::vector<InterfaceUsage> interfaces;
    for (const std::string& line : split(text, '\n')) {
        const size_t colon = line.rfind(':');
        if (colon == std::string::npos) continue;  // the headings
        InterfaceUsage interface;
        interface.name = line.substr(std::min(line.find_first_not_of(' '), colon));
        interface.name.resize(interface.name.rfind(':'));
        std::istringstream words(line.substr(colon + 1));
        std::string skipped;
        if (!read_direction(words, interface.received)) continue;
        for (int field = 0; field < 4; ++field) words >> skipped;  // fifo, frame, compressed, multicast
        if (!read_direction(words, interface.sent) || interface.name == "lo") continue;
        interfaces.push_back(std::move(interface));
    }
    return interfaces;
}

void read_machine(ContainerUsage& usage) {
    usage.time = wall_now();
    usage.cpu.processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
    std::istringstream words(read_beginning("/proc/stat", 4096));
    std::string cpu;
    words >> cpu;
    uint64_t ticks = 0, value = 0;
    // user, nice, system, idle, iowait, irq, softirq: what the others count is in these too, or was somebody else's.
    for (int field = 0; field < 7 && words >> value; ++field) ticks += value;
    usage.cpu.machine = static_cast<uint64_t>(from_ticks(ticks).count());
}

}  // namespace kedge::runtime
