#include "runtime/containers/cgroup_files.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace kedge::runtime {

namespace {

constexpr size_t kFileLimit = 1u << 20;

std::optional<uint64_t> number_in(std::string_view text) {
    uint64_t number = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

}  // namespace

std::string group_folder(const std::string& mount_point, const std::string& path) {
    if (path.find_first_not_of("/.") == std::string::npos) throw Error(Code::internal, "no control group is named");
    return mount_point + "/" + path;
}

std::string read_group_file(const std::string& path) {
    try {
        std::string text = read_file_at(AT_FDCWD, path, kFileLimit);
        while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
        return text;
    } catch (const Error&) {
        return {};
    }
}

std::optional<uint64_t> read_group_number(const std::string& path) {
    return number_in(read_group_file(path));
}

std::map<std::string, uint64_t> read_group_table(const std::string& path) {
    std::map<std::string, uint64_t> table;
    for (const std::string& line : split(read_group_file(path), '\n')) {
        size_t blank = line.find(' ');
        if (blank == std::string::npos) continue;
        if (auto number = number_in(std::string_view(line).substr(blank + 1))) table[line.substr(0, blank)] = *number;
    }
    return table;
}

bool group_file_exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

int write_group_file(const std::string& path, std::string_view value) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = ::write(fd, value.data(), value.size()) < 0 ? errno : 0;
    (void)::close(fd);
    return error;
}

void must_write(const std::string& folder, const std::string& file, const std::string& value) {
    if (int error = write_group_file(folder + "/" + file, value)) {
        throw errno_error("cannot set " + file + " of the container to " + value, error);
    }
}

void inherit_cpuset(const std::string& parent, const std::string& child) {
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
        if (read_group_file(child + file).empty()) (void)write_group_file(child + file, read_group_file(parent + file));
    }
}

}  // namespace kedge::runtime
