#include "base/tar/tar_reader.h"

#include "base/error.h"
#include "base/tar/plain_locale.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <limits>

namespace kedge {

namespace {

TarEntry::Type type_of(archive_entry* entry, const std::string& path) {
    if (archive_entry_hardlink(entry)) return TarEntry::Type::hardlink;
    switch (archive_entry_filetype(entry)) {
        case AE_IFREG: return TarEntry::Type::file;
        case AE_IFDIR: return TarEntry::Type::folder;
        case AE_IFLNK: return TarEntry::Type::symlink;
        case AE_IFCHR: return TarEntry::Type::character;
        case AE_IFBLK: return TarEntry::Type::block;
        case AE_IFIFO: return TarEntry::Type::fifo;
        default: throw Error(Code::invalid_argument, "entry \"" + path + "\" is of a type that is not supported");
    }
}

/// An owner's number; the highest means "leave it" to chown and is none.
uint32_t owner(int64_t id, const std::string& path) {
    if (id < 0 || id >= std::numeric_limits<uint32_t>::max()) {
        throw Error(Code::invalid_argument,
                    "entry \"" + path + "\": " + std::to_string(id) + " is not a user or group id");
    }
    return static_cast<uint32_t>(id);
}

void read_xattrs(archive_entry* from, TarEntry& entry) {
    entry.xattrs.clear();
    if (archive_entry_xattr_reset(from) == 0) return;
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
        if (name) entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
    }
}

}  // namespace

TarReader::TarReader(std::function<std::string_view()> next)
    : next_(std::move(next)),
      locale_(std::make_unique<PlainLocale>()),
      archive_(archive_read_new(), archive_read_free) {
    if (!archive_) throw Error(Code::resource_exhausted, "no memory for libarchive");
    archive_read_support_format_tar(archive_.get());
    if (archive_read_open(archive_.get(), this, nullptr, on_read, nullptr) != ARCHIVE_OK) fail("tar archive");
}

TarReader::~TarReader() = default;

ssize_t TarReader::on_read(archive* a, void* self_pointer, const void** data) {
    auto* self = static_cast<TarReader*>(self_pointer);
    try {
        std::string_view piece = self->next_();
        *data = piece.data();
        return static_cast<ssize_t>(piece.size());
    } catch (...) {  // no exception may pass through libarchive
        self->error_ = std::current_exception();
        archive_set_error(a, EIO, "read error");
        return ARCHIVE_FATAL;
    }
}

void TarReader::fail(const std::string& what) {
    if (error_) std::rethrow_exception(error_);
    const char* text = archive_error_string(archive_.get());
    throw Error(Code::invalid_argument, what + ": " + (text ? text : "unreadable"));
}

bool TarReader::next(TarEntry& entry) {
    archive_entry* from = nullptr;
    int result = archive_read_next_header(archive_.get(), &from);
    if (result == ARCHIVE_EOF) return false;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail("tar archive");
    const char* path = archive_entry_pathname(from);
    if (!path) throw Error(Code::invalid_argument, "tar archive: an entry has no name");
    entry.path = path;
    entry.type = type_of(from, entry.path);
    const char* link = entry.type == TarEntry::Type::hardlink  ? archive_entry_hardlink(from)
                       : entry.type == TarEntry::Type::symlink ? archive_entry_symlink(from)
                                                               : nullptr;
    entry.link = link ? link : "";
    entry.mode = static_cast<mode_t>(archive_entry_perm(from)) & 07777;
    entry.uid = owner(archive_entry_uid(from), entry.path);
    entry.gid = owner(archive_entry_gid(from), entry.path);
    entry.mtime = {archive_entry_mtime(from), archive_entry_mtime_nsec(from)};
    entry.size = archive_entry_size(from);
    entry.device = makedev(static_cast<unsigned>(archive_entry_rdevmajor(from)),
                           static_cast<unsigned>(archive_entry_rdevminor(from)));
    read_xattrs(from, entry);
    return true;
}

bool TarReader::data(std::string_view& piece, int64_t& offset) {
    const void* bytes = nullptr;
    size_t size = 0;
    la_int64_t where = 0;
    int result = archive_read_data_block(archive_.get(), &bytes, &size, &where);
    if (result == ARCHIVE_EOF) return false;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail("tar archive");
    piece = {static_cast<const char*>(bytes), size};
    offset = where;
    return true;
}

}  // namespace kedge
