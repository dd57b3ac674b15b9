#include "runtime/shim/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

namespace kedge::shim {

int LogWriter::open(const char* folder, const char* name, uint64_t max_size, uint32_t max_files) {
    Line copy(name_, sizeof name_);
    if (copy.add(name).overflowed()) return -ENAMETOOLONG;
    max_size_ = max_size;
    max_files_ = max_files;
    folder_ = open_file(AT_FDCWD, folder, O_PATH | O_DIRECTORY);
    if (folder_ < 0) return folder_;
    fd_ = open_file(folder_, name_, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
    if (fd_ < 0) return fd_;
    struct statx info {};
    if (sys(__NR_statx, fd_, "", AT_EMPTY_PATH, STATX_SIZE, &info) == 0) size_ = whole_ = info.stx_size;
    char last = '\n';
    if (size_ > 0) (void)sys(__NR_pread64, fd_, &last, 1, size_ - 1);
    if (last != '\n') put("\n", 1);  // half a line that a power cut left must not spoil the next one
    line_ends_ = used_;
    open_ = true;
    return 0;
}

void LogWriter::rotate() {
    flush();
    char from[200], to[200];
    for (uint32_t i = max_files_ - 1; i > 0 && max_files_ > 1; i--) {
        Line older(to, sizeof to), newer(from, sizeof from);
        older.add(name_).add(".").number(i);
        newer.add(name_);
        if (i > 1) newer.add(".").number(i - 1);
        (void)sys(__NR_renameat2, folder_, from, folder_, to, 0);  // a gap in the row is fine
    }
    int fd = open_file(folder_, name_, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_NOFOLLOW, 0640);
    if (fd < 0) return;  // the present file goes on growing, which loses nothing
    close_fd(fd_);
    fd_ = fd;
    size_ = whole_ = 0;
}

/// The disk is full: a line is either whole in the file or not there at all.
void LogWriter::give_up_line() {
    (void)sys(__NR_ftruncate, fd_, whole_);
    size_ = whole_;
    used_ = line_ends_ = 0;
    broken_ = true;
}

void LogWriter::flush() {
    if (used_ == 0) return;
    if (write_whole(fd_, buffer_, used_) < 0) {
        give_up_line();
        return;
    }
    if (line_ends_ > 0) whole_ = size_ - (used_ - line_ends_);
    used_ = line_ends_ = 0;
}

void LogWriter::put(const char* text, size_t size) {
    if (broken_) return;
    if (size > kBuffer - used_) flush();
    if (broken_) return;
    memcpy(buffer_ + used_, text, size);
    used_ += size;
    size_ += size;
}

namespace {

/// Bytes of the UTF-8 sequence at `text`; 0 if it is none.
size_t sequence(const char* text, size_t size) {
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned first = byte(0);
    size_t need = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (need == 0 || need > size) return 0;
    for (size_t i = 1; i < need; i++)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF.
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return need;
}

}  // namespace

void LogWriter::put_escaped(const char* text, size_t size) {
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0;  // where what needs no escape begins
    size_t i = 0;
    auto replace = [&](const char* by, size_t count, size_t consumed) {
        for (size_t at = plain; at < i; at += 4096) put(text + at, i - at < 4096 ? i - at : 4096);
        put(by, count);
        i += consumed;
        plain = i;
    };
    while (i < size) {
        unsigned char c = static_cast<unsigned char>(text[i]);
        if (c >= 0x80) {
            size_t count = sequence(text + i, size - i);
            bool separator = count == 3 && memcmp(text + i, "\xe2\x80", 2) == 0 &&
                             (static_cast<unsigned char>(text[i + 2]) & 0xfe) == 0xa8;  // U+2028 and U+2029
            if (count == 0)
                replace("\\ufffd", 6, 1);
            else if (separator)
                replace(text[i + 2] & 1 ? "\\u2029" : "\\u2028", 6, 3);
            else
                i += count;
            continue;
        }
        if (c == '"')
            replace("\\\"", 2, 1);
        else if (c == '\\')
            replace("\\\\", 2, 1);
        else if (c == '\n')
            replace("\\n", 2, 1);
        else if (c == '\r')
            replace("\\r", 2, 1);
        else if (c == '\t')
            replace("\\t", 2, 1);
        else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
            char code[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            replace(code, 6, 1);
        } else
            i++;
    }
    replace("", 0, 0);
}

void LogWriter::write(const char* text, size_t size, bool error_stream) {
    if (max_size_ > 0 && size_ >= max_size_) rotate();
    broken_ = false;
    put("{\"log\":\"", 8);
    put_escaped(text, size);
    char tail[96];
    Line line(tail, sizeof tail);
    line.add(error_stream ? "\",\"stream\":\"stderr\",\"time\":\"" : "\",\"stream\":\"stdout\",\"time\":\"");
    add_time(line, now());
    line.add("\"}\n");
    put(tail, line.size());
    if (!broken_) line_ends_ = used_;
}

}  // namespace kedge::shim
