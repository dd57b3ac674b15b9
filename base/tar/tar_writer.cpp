#include "base/tar/tar_writer.h"

#include "base/error.h"
#include "base/tar/plain_locale.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace kedge {

namespace {

constexpr int kBlock = 64 << 10;

mode_t file_type(TarEntry::Type type) {
    switch (type) {
        case TarEntry::Type::folder: return S_IFDIR;
        case TarEntry::Type::symlink: return S_IFLNK;
        case TarEntry::Type::character: return S_IFCHR;
        case TarEntry::Type::block: return S_IFBLK;
        case TarEntry::Type::fifo: return S_IFIFO;
        default: return S_IFREG;
    }
}

using Entry = std::unique_ptr<archive_entry, void (*)(archive_entry*)>;

Entry convert(const TarEntry& entry) {
    Entry to(archive_entry_new(), archive_entry_free);
    if (!to) throw Error(Code::resource_exhausted, "no memory for libarchive");
    archive_entry_set_pathname(to.get(), entry.path.c_str());
    archive_entry_set_mode(to.get(), file_type(entry.type) | entry.mode);
    archive_entry_set_uid(to.get(), entry.uid);
    archive_entry_set_gid(to.get(), entry.gid);
    archive_entry_set_mtime(to.get(), entry.mtime.tv_sec, entry.mtime.tv_nsec);
    archive_entry_set_size(to.get(), entry.type == TarEntry::Type::file ? entry.size : 0);
    if (entry.type == TarEntry::Type::symlink) archive_entry_set_symlink(to.get(), entry.link.c_str());
    if (entry.type == TarEntry::Type::hardlink) archive_entry_set_hardlink(to.get(), entry.link.c_str());
    archive_entry_set_rdevmajor(to.get(), major(entry.device));
    archive_entry_set_rdevminor(to.get(), minor(entry.device));
    for (const auto& [key, value] : entry.xattrs)
        archive_entry_xattr_add_entry(to.get(), key.c_str(), value.data(), value.size());
    return to;
}

}  // namespace

TarWriter::TarWriter(std::function<void(std::string_view)> sink)
    : sink_(std::move(sink)),
      locale_(std::make_unique<PlainLocale>()),
      archive_(archive_write_new(), archive_write_free) {
    if (!archive_) throw Error(Code::resource_exhausted, "no memory for libarchive");
    archive* a = archive_.get();
    archive_write_set_format_pax_restricted(a);
    // The name under which Docker and other tools know attributes.
    if (archive_write_set_options(a, "xattrheader=SCHILY") != ARCHIVE_OK) fail("tar archive");
    archive_write_set_bytes_per_block(a, kBlock);
    archive_write_set_bytes_in_last_block(a, 1);
    if (archive_write_open(a, this, nullptr, on_write, nullptr) != ARCHIVE_OK) fail("tar archive");
}

TarWriter::~TarWriter() {
    // Freeing closes, and closing would still write.
    error_ = std::make_exception_ptr(Error(Code::cancelled, "the archive was given up"));
    archive_.reset();  // here, while error_ is there
}

/// What the sink throws is kept for the caller, and what comes after it is dropped: an archive whose client failed is
/// never closed by libarchive 3.6, and keeps its buffer.
ssize_t TarWriter::on_write(archive*, void* self_pointer, const void* data, size_t size) {
    auto* self = static_cast<TarWriter*>(self_pointer);
    try {
        if (!self->error_) self->sink_({static_cast<const char*>(data), size});
    } catch (...) {  // no exception may pass through libarchive
        self->error_ = std::current_exception();
    }
    return static_cast<ssize_t>(size);
}

void TarWriter::fail(const std::string& what) {
    if (error_) std::rethrow_exception(error_);
    const char* text = archive_error_string(archive_.get());
    throw Error(Code::invalid_argument, what + ": " + (text ? text : "can't be written"));
}

void TarWriter::begin(const TarEntry& entry) {
    int result = archive_write_header(archive_.get(), convert(entry).get());
    if (error_ || (result != ARCHIVE_OK && result != ARCHIVE_WARN)) fail(entry.path);
}

void TarWriter::data(std::string_view piece) {
    la_ssize_t written = archive_write_data(archive_.get(), piece.data(), piece.size());
    if (error_ || written != static_cast<la_ssize_t>(piece.size())) fail("tar archive");
}

void TarWriter::finish() {
    int result = archive_write_close(archive_.get());
    if (error_ || result != ARCHIVE_OK) fail("tar archive");
}

}  // namespace kedge
