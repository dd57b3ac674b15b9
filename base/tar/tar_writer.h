#pragma once

#include "base/tar/tar_reader.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>

struct archive;

namespace kedge {

/// Writes a tar archive (ustar, with pax headers for what has no place there) entry by entry, by libarchive. Names are
/// bytes. Holds one block in memory.
class TarWriter {
public:
    /// `sink` takes the archive piece by piece; what it throws comes out of the calls below. To be used and destroyed
    /// on the thread that made it.
    explicit TarWriter(std::function<void(std::string_view)> sink);
    ~TarWriter();
    TarWriter(const TarWriter&) = delete;
    TarWriter& operator=(const TarWriter&) = delete;

    /// Begins an entry. Of a file, `size` bytes have to follow.
    void begin(const TarEntry& entry);
    void data(std::string_view piece);

    /// The end of the archive.
    void finish();

private:
    [[noreturn]] void fail(const std::string& what);
    static ssize_t on_write(archive* a, void* self, const void* data, size_t size);

    std::function<void(std::string_view)> sink_;
    std::unique_ptr<PlainLocale> locale_;
    std::unique_ptr<archive, int (*)(archive*)> archive_;
    std::exception_ptr error_;
};

}  // namespace kedge
