#pragma once

#include "base/digest.h"
#include "runtime/images/blob_store.h"

#include <map>
#include <stop_token>
#include <string>

namespace kedge {
class TarReader;
struct TarEntry;
}  // namespace kedge

namespace kedge::runtime {

/// The files of an image archive, which may come through a pipe and in any order: small ones in memory, others as
/// blobs.
class ArchiveFiles {
public:
    /// Reads the archive to its end.
    ArchiveFiles(BlobStore& blobs, int fd, std::stop_token stop);

    bool has(const std::string& path) const;
    /// A small file. Error invalid_argument if it is missing or too large.
    std::string text(const std::string& path) const;
    /// Stores the file as a blob, if it isn't yet. With `expected`, another content is Error invalid_argument.
    Digest blob(const std::string& path, const Digest& expected = {});

private:
    struct File {
        bool in_memory = false;
        std::string data;
        Digest blob;
        std::string link;  ///< another file of the archive
    };
    void add(const TarEntry& entry, TarReader& reader, std::stop_token stop);
    File read_file(const TarEntry& entry, TarReader& reader, std::stop_token stop);
    const File& find(const std::string& path) const;

    BlobStore& blobs_;
    std::map<std::string, File> files_;
    size_t in_memory_ = 0;
};

}  // namespace kedge::runtime
