#include "runtime/shim/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

namespace kedge::shim {

int open_file(int folder, const char* path, int flags, unsigned mode) {
    return static_cast<int>(sys(__NR_openat, folder, path, flags | O_CLOEXEC, mode));
}

int open_resolved(int folder, const char* path, int flags, uint64_t resolve, unsigned mode) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & O_CREAT) ? mode : 0;
    how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
    while (true) {
        long fd = sys(__NR_openat2, folder, path, &how, sizeof how);
        if (fd != -EAGAIN && fd != -EINTR) return static_cast<int>(fd);
    }
}

int write_whole(int fd, const char* data, size_t size) {
    while (size > 0) {
        long n = sys(__NR_write, fd, data, size);
        if (n == -EINTR) continue;
        if (n < 0) return static_cast<int>(n);
        data += n;
        size -= static_cast<size_t>(n);
    }
    return 0;
}

size_t length(const char* text) {
    size_t n = 0;
    while (text[n]) n++;
    return n;
}

bool equal(const char* a, const char* b) {
    size_t n = length(a);
    return n == length(b) && memcmp(a, b, n) == 0;
}

bool equal(const char* a, size_t size, const char* b) {
    return size == length(b) && memcmp(a, b, size) == 0;
}

bool contains(const char* text, char c) {
    for (; *text; text++)
        if (*text == c) return true;
    return false;
}

Line& Line::add(const char* text, size_t size) {
    if (size >= capacity_ - size_) {
        overflowed_ = true;
        return *this;
    }
    memcpy(buffer_ + size_, text, size);
    size_ += size;
    buffer_[size_] = 0;
    return *this;
}

Line& Line::number(uint64_t value, int digits) {
    char text[24];
    int at = sizeof text;
    do {
        text[--at] = static_cast<char>('0' + value % 10);
        value /= 10;
        digits--;
    } while (value > 0 || digits > 0);
    return add(text + at, sizeof text - static_cast<size_t>(at));
}

uint64_t start_time(int pid) {
    char name[40];
    Line path(name, sizeof name);
    path.add("/proc/");
    if (pid > 0)
        path.number(static_cast<uint64_t>(pid));
    else
        path.add("self");
    path.add("/stat");
    int fd = open_file(AT_FDCWD, name, O_RDONLY);
    if (fd < 0) return 0;
    char text[1024];
    long size = sys(__NR_read, fd, text, sizeof text);
    close_fd(fd);
    // The name in parentheses may contain anything, also parentheses: fields are counted from the last one, which ends
    // field 2.
    long at = size - 1;
    while (at > 0 && text[at] != ')') at--;
    if (at <= 0) return 0;
    for (int field = 2; at < size && field < 22; at++)
        if (text[at] == ' ') field++;
    uint64_t value = 0;
    for (; at < size && text[at] >= '0' && text[at] <= '9'; at++)
        value = value * 10 + static_cast<uint64_t>(text[at] - '0');
    return value;
}

Clock now() {
    Clock time{};
    (void)sys(__NR_clock_gettime, 0, &time);  // CLOCK_REALTIME
    return time;
}

void add_time(Line& line, Clock time) {
    // Days to a date in the proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
    int64_t days = time.seconds / 86400 + 719468;
    int64_t second = time.seconds % 86400;
    int64_t era = days / 146097;
    int64_t of_era = days % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    auto two = [&](int64_t value, const char* after) { line.number(static_cast<uint64_t>(value), 2).add(after); };
    line.number(static_cast<uint64_t>(year), 4).add("-");
    two(month, "-");
    two(day, "T");
    two(second / 3600, ":");
    two(second / 60 % 60, ":");
    two(second % 60, "");
    if (time.nanoseconds > 0) {
        line.add(".").number(static_cast<uint64_t>(time.nanoseconds), 9);
        size_t end = line.size();
        while (line.text()[end - 1] == '0') end--;
        line.cut(end);
    }
    line.add("Z");
}

}  // namespace kedge::shim

// The compiler may call these four by itself.
extern "C" {

void* memcpy(void* to, const void* from, size_t size) noexcept {
    return memmove(to, from, size);
}

void* memmove(void* to, const void* from, size_t size) noexcept {
    char* out = static_cast<char*>(to);
    const char* in = static_cast<const char*>(from);
    if (out <= in) {
#if defined(__x86_64__)
        __asm__ volatile("rep movsb" : "+D"(out), "+S"(in), "+c"(size) : : "memory");
#else
        for (size_t i = 0; i < size; i++) out[i] = in[i];
#endif
    } else {
        for (size_t i = size; i > 0; i--) out[i - 1] = in[i - 1];
    }
    return to;
}

void* memset(void* to, int value, size_t size) noexcept {
    char* out = static_cast<char*>(to);
    for (size_t i = 0; i < size; i++) out[i] = static_cast<char>(value);
    return to;
}

int memcmp(const void* a, const void* b, size_t size) noexcept {
    const unsigned char* x = static_cast<const unsigned char*>(a);
    const unsigned char* y = static_cast<const unsigned char*>(b);
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i]) return x[i] - y[i];
    return 0;
}
}
