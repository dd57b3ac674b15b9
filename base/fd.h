#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace kedge {

/// An owned file descriptor; closed when it goes out of scope. -1 means none.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~Fd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1) noexcept;

    /// A second descriptor of the same open file, close-on-exec. Throws Error.
    Fd duplicate() const;

private:
    int fd_ = -1;
};

/// openat(2) with O_CLOEXEC added. Throws Error that names the path.
Fd open_at(int dirfd, const std::string& path, int flags, unsigned mode = 0);

/// Reads up to `limit` bytes until end of file; more is an Error (resource_exhausted).
std::string read_all(int fd, size_t limit);

/// The whole file, at most `limit` bytes. Throws Error.
std::string read_file_at(int dirfd, const std::string& path, size_t limit = 16u << 20);

/// Writes all of it, however many write(2) calls that takes. Throws Error.
void write_all(int fd, std::string_view data);

}  // namespace kedge
