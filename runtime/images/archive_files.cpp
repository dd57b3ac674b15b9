#include "runtime/images/archive_files.h"

#include "base/error.h"
#include "base/tar/tar_reader.h"
#include "runtime/images/decompress.h"

#include <filesystem>
#include <vector>

namespace kedge::runtime {

namespace {

constexpr int64_t kSmall = 256 << 10;
constexpr size_t kMemory = 8u << 20;  ///< all small files together; further ones become blobs
constexpr size_t kTextLimit = 16u << 20;
constexpr size_t kMaxFiles = 100'000;
constexpr int kMaxLinks = 8;

/// The names are keys of a map only: no file of that name is ever opened.
std::string normal(const std::string& path) {
    std::string text = std::filesystem::path(path).lexically_normal().string();
    while (text.starts_with("/")) text.erase(0, 1);
    return text;
}

}  // namespace

ArchiveFiles::ArchiveFiles(BlobStore& blobs, int fd, std::stop_token stop) : blobs_(blobs) {
    std::unique_ptr<ByteStream> stream = open_compressed(fd);
    std::vector<char> buffer(256u << 10);
    TarReader reader([&]() -> std::string_view {
        if (stop.stop_requested()) throw Error(Code::cancelled, "loading was cancelled");
        return {buffer.data(), stream->read(buffer.data(), buffer.size())};
    });
    TarEntry entry;
    while (reader.next(entry)) add(entry, reader, stop);
}

void ArchiveFiles::add(const TarEntry& entry, TarReader& reader, std::stop_token stop) {
    if (files_.size() >= kMaxFiles)
        throw Error(Code::invalid_argument, "the archive has more than " + std::to_string(kMaxFiles) + " files");
    const std::string path = normal(entry.path);
    switch (entry.type) {
        case TarEntry::Type::file: files_[path] = read_file(entry, reader, stop); return;
        case TarEntry::Type::symlink: {
            // Docker's older archives hold a layer that two images share once, and a link in the place of the second.
            File link;
            link.link = normal((std::filesystem::path(path).parent_path() / entry.link).string());
            files_[path] = std::move(link);
            return;
        }
        case TarEntry::Type::hardlink: {
            File link;
            link.link = normal(entry.link);
            files_[path] = std::move(link);
            return;
        }
        default: return;  // folders, and what has no content
    }
}

ArchiveFiles::File ArchiveFiles::read_file(const TarEntry& entry, TarReader& reader, std::stop_token stop) {
    File file;
    std::string_view piece;
    int64_t offset = 0;
    if (entry.size <= kSmall && in_memory_ + static_cast<size_t>(entry.size) <= kMemory) {
        while (reader.data(piece, offset)) file.data += piece;
        in_memory_ += file.data.size();
        file.in_memory = true;
        return file;
    }
    BlobStore::Writer writer(blobs_, {});
    while (reader.data(piece, offset)) {
        if (stop.stop_requested()) throw Error(Code::cancelled, "loading was cancelled");
        if (offset != writer.offset())
            throw Error(Code::invalid_argument,
                        "entry \"" + entry.path + "\": sparse files are not supported in image archives");
        writer.write(piece);
    }
    file.blob = writer.commit();
    return file;
}

const ArchiveFiles::File& ArchiveFiles::find(const std::string& path) const {
    std::string name = normal(path);
    for (int i = 0; i < kMaxLinks; ++i) {
        auto found = files_.find(name);
        if (found == files_.end()) break;
        if (found->second.link.empty()) return found->second;
        name = found->second.link;
    }
    throw Error(Code::invalid_argument, "the archive has no file \"" + path + "\"");
}

bool ArchiveFiles::has(const std::string& path) const {
    return files_.contains(normal(path));
}

std::string ArchiveFiles::text(const std::string& path) const {
    const File& file = find(path);
    return file.in_memory ? file.data : blobs_.read(file.blob, kTextLimit);
}

Digest ArchiveFiles::blob(const std::string& path, const Digest& expected) {
    const File& file = find(path);
    Digest digest = file.in_memory ? Digest::of(file.data) : file.blob;
    if (!expected.empty() && digest != expected) {
        throw Error(Code::invalid_argument, "\"" + path + "\" has the wrong content: its digest is " + digest.str());
    }
    if (file.in_memory) (void)blobs_.put(file.data);
    return digest;
}

}  // namespace kedge::runtime
