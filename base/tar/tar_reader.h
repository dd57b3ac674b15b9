#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct archive;

namespace kedge {

class PlainLocale;

struct TarEntry {
    enum class Type { file, folder, symlink, hardlink, character, block, fifo };
    Type type = Type::file;
    std::string path;  ///< as the archive says it: hostile
    std::string link;  ///< what a link points to: hostile
    mode_t mode = 0;   ///< permissions, set-id and sticky bits
    uid_t uid = 0;
    gid_t gid = 0;
    timespec mtime{};
    int64_t size = 0;
    dev_t device = 0;
    std::vector<std::pair<std::string, std::string>> xattrs;
};

/// A tar archive (ustar, GNU, pax) entry by entry, read by libarchive. Names are bytes: no character set is converted.
/// Whatever is wrong with the archive is Error invalid_argument.
class TarReader {
public:
    /// `next` gives the uncompressed bytes piece by piece, each valid until the next call; empty at the end. What it
    /// throws comes out of next() and data(). To be used and destroyed on the thread that made it.
    explicit TarReader(std::function<std::string_view()> next);
    ~TarReader();
    TarReader(const TarReader&) = delete;
    TarReader& operator=(const TarReader&) = delete;

    /// False at the end of the archive.
    bool next(TarEntry& entry);

    /// The next piece of the entry's content and its offset, which leaves gaps where the file is sparse. False at the
    /// end of the entry.
    bool data(std::string_view& piece, int64_t& offset);

private:
    [[noreturn]] void fail(const std::string& what);
    static ssize_t on_read(archive* a, void* self, const void** data);

    std::function<std::string_view()> next_;
    std::unique_ptr<PlainLocale> locale_;
    std::unique_ptr<archive, int (*)(archive*)> archive_;
    std::exception_ptr error_;
};

}  // namespace kedge
