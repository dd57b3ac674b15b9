#include "base/fd.h"

#include "base/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace kedge {

void Fd::reset(int fd) noexcept {
    if (fd_ >= 0) (void)::close(fd_);  // nothing useful can be done about a failed close
    fd_ = fd;
}

Fd Fd::duplicate() const {
    int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) throw_errno("duplicate file descriptor");
    return Fd(copy);
}

Fd open_at(int dirfd, const std::string& path, int flags, unsigned mode) {
    int fd = ::openat(dirfd, path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) throw_errno("open " + path);
    return Fd(fd);
}

std::string read_all(int fd, size_t limit) {
    std::string data;
    char piece[16384];
    while (true) {
        ssize_t n = ::read(fd, piece, std::min(sizeof piece, limit + 1 - data.size()));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno("read");
        if (n == 0) return data;
        data.append(piece, static_cast<size_t>(n));
        if (data.size() > limit) {
            throw Error(Code::resource_exhausted, "more than " + std::to_string(limit) + " bytes").set_transient(false);
        }
    }
}

std::string read_file_at(int dirfd, const std::string& path, size_t limit) {
    Fd fd = open_at(dirfd, path, O_RDONLY);
    try {
        return read_all(fd.get(), limit);
    } catch (const Error& e) {
        throw e.with_context(path);
    }
}

void write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno("write");
        data.remove_prefix(static_cast<size_t>(n));
    }
}

}  // namespace kedge
