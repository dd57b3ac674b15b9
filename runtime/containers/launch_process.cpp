#include "runtime/containers/launch_process.h"

#include "base/error.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace kedge::runtime {

namespace {

template <typename Number>
bool read_number(const std::string& text, Number* number) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), *number);
    return failure == std::errc() && end == text.data() + text.size();
}

/// `shim PID STARTTIME`.
bool read_process(const std::vector<std::string>& words, ProcessId* process) {
    return words.size() == 3 && read_number(words[1], &process->pid) && read_number(words[2], &process->start_time);
}

}  // namespace

bool read_pid_file(const std::string& run_folder, PidFile* result) {
    std::string text;
    try {
        text = read_file_at(AT_FDCWD, run_folder + "/pid", 65536);
    } catch (const Error&) {
        return false;
    }
    *result = {};
    for (const std::string& line : split(text, '\n')) {
        const std::vector<std::string> words = split(line, ' ');
        if (words[0] == "shim" && !read_process(words, &result->shim)) return false;
        if (words[0] == "init" && !read_process(words, &result->init)) return false;
        if (words[0] == "cgroup") result->cgroup = line.substr(std::min(line.size(), words[0].size() + 1));
    }
    return result->shim.pid > 0 && result->init.pid > 0;
}

uint64_t process_start_time(int pid) {
    if (pid <= 0) return 0;
    std::string text;
    try {
        text = read_file_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/stat", 4096);
    } catch (const Error&) {
        return 0;
    }
    size_t name_end = text.rfind(')');  // the name before it may contain anything
    if (name_end == std::string::npos) return 0;
    constexpr size_t kState = 1, kStartTime = 20;  // fields 3 and 22: what comes before is cut off
    const std::vector<std::string> fields = split(text.substr(name_end + 1), ' ');
    uint64_t time = 0;
    if (fields.size() <= kStartTime || fields[kState] == "Z" || fields[kState] == "X") return 0;
    return read_number(fields[kStartTime], &time) ? time : 0;
}

Fd open_process(const ProcessId& process) {
    if (process.pid <= 0 || process.start_time == 0) return {};
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    // Compared after opening: whoever has that number and time now is whom the descriptor stands for.
    if (!pidfd || process_start_time(process.pid) != process.start_time) return {};
    return pidfd;
}

bool await_end(int pidfd, int milliseconds) {
    pollfd watched{pidfd, POLLIN, 0};
    while (true) {
        int n = ::poll(&watched, 1, milliseconds);
        if (n < 0 && errno == EINTR) continue;
        return n > 0;
    }
}

}  // namespace kedge::runtime
