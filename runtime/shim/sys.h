#pragma once

#include <asm/unistd.h>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// System calls without a C library: the shim's whole text is some twenty kilobytes, and its start costs no set-up.
/// Every call returns a value, or a negative errno.
namespace kedge::shim {

/// Part of its caller also where nothing else is: a child that shares its parent's stack must not leave a function.
[[gnu::always_inline]] inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                                        long f = 0) {
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "kedge-shim knows amd64 and arm64"
#endif
}

template <typename T>
long word(T value) {
    if constexpr (std::is_null_pointer_v<T>)
        return 0;
    else if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<long>(value);
    else
        return static_cast<long>(value);
}

template <typename... Args>
long sys(long number, Args... args) {
    return call(number, word(args)...);
}

[[noreturn]] inline void leave(int code) {
    while (true) (void)sys(__NR_exit_group, code);
}

inline int close_fd(int fd) {
    return static_cast<int>(sys(__NR_close, fd));
}

/// openat with O_CLOEXEC.
int open_file(int folder, const char* path, int flags, unsigned mode = 0);

/// openat2 with O_CLOEXEC; tries again where the kernel could not judge a racing rename.
int open_resolved(int folder, const char* path, int flags, uint64_t resolve, unsigned mode = 0);

/// Writes all of it. 0 or a negative errno.
int write_whole(int fd, const char* data, size_t size);

size_t length(const char* text);
bool equal(const char* a, const char* b);
bool equal(const char* a, size_t size, const char* b);
bool contains(const char* text, char c);

/// Text built in a caller's buffer; what doesn't fit is remembered, never written.
class Line {
public:
    Line(char* buffer, size_t capacity) : buffer_(buffer), capacity_(capacity) { buffer_[0] = 0; }
    Line& add(const char* text) { return add(text, length(text)); }
    Line& add(const char* text, size_t size);
    Line& number(uint64_t value, int digits = 1);
    const char* text() const { return buffer_; }
    size_t size() const { return size_; }
    bool overflowed() const { return overflowed_; }
    void cut(size_t size) { buffer_[size_ = size] = 0; }

private:
    char* buffer_;
    size_t capacity_;
    size_t size_ = 0;
    bool overflowed_ = false;
};

/// Field 22 of /proc/<pid>/stat in clock ticks; pid 0: the caller. 0 if it can't be read.
uint64_t start_time(int pid);

struct Clock {
    int64_t seconds;
    int64_t nanoseconds;
};
Clock now();

/// RFC 3339 in UTC as Go prints it: up to nine digits, without trailing zeros.
void add_time(Line& line, Clock time);

}  // namespace kedge::shim

extern "C" {
void* memcpy(void* to, const void* from, size_t size) noexcept;
void* memmove(void* to, const void* from, size_t size) noexcept;
void* memset(void* to, int value, size_t size) noexcept;
int memcmp(const void* a, const void* b, size_t size) noexcept;
}
