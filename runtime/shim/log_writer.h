#pragma once

#include "runtime/shim/sys.h"

namespace kedge::shim {

/// Docker's json-file log: one JSON object a line, rotated by size.
class LogWriter {
public:
    /// Opens `name` in the folder. 0 or a negative errno. max_size 0: never rotated.
    int open(const char* folder, const char* name, uint64_t max_size, uint32_t max_files);

    /// Appends one line of output, or with no line end a part of one.
    void write(const char* text, size_t size, bool error_stream);

    /// Hands what is buffered to the kernel.
    void flush();

    bool is_open() const { return open_; }

private:
    void put(const char* text, size_t size);
    void put_escaped(const char* text, size_t size);
    void rotate();
    void give_up_line();

    static constexpr size_t kBuffer = 16384;
    // All zero at first, so that it lies in pages that cost nothing until they are written to.
    bool open_ = false;
    int folder_ = 0;
    int fd_ = 0;
    char name_[160] = {};
    uint64_t max_size_ = 0;
    uint32_t max_files_ = 0;
    uint64_t size_ = 0;   ///< of the file, with what is buffered
    uint64_t whole_ = 0;  ///< size of the file at the last line end that was written
    size_t used_ = 0;
    size_t line_ends_ = 0;  ///< bytes of the buffer up to its last line end
    bool broken_ = false;   ///< the rest of the present line is dropped: no space for it
    char buffer_[kBuffer] = {};
};

}  // namespace kedge::shim
