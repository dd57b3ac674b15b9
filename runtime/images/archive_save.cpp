#include "runtime/images/archive_save.h"

#include "base/error.h"
#include "runtime/images/media_types.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <exception>

namespace kedge::runtime {

namespace {

using nlohmann::json;

constexpr size_t kPiece = 256u << 10;
constexpr int kPieceToClient = 64 << 10;

/// A tar archive that is written to a function, by libarchive.
class TarStream {
public:
    explicit TarStream(std::function<bool(std::string_view)> sink)
        : sink_(std::move(sink)), archive_(archive_write_new(), archive_write_free) {
        if (!archive_) throw Error(Code::resource_exhausted, "no memory for an archive");
        archive_write_set_format_pax_restricted(archive_.get());  // plain, but for files that plain tar has no room for
        archive_write_set_bytes_per_block(archive_.get(), kPieceToClient);
        archive_write_set_bytes_in_last_block(archive_.get(), 1);
        check(archive_write_open(archive_.get(), this, nullptr, on_write, nullptr));
    }

    ~TarStream() {
        if (!finished_) (void)archive_write_fail(archive_.get());  // no end is written of what is not whole
    }
    TarStream(const TarStream&) = delete;
    TarStream& operator=(const TarStream&) = delete;

    void begin_file(const std::string& name, int64_t size) {
        std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_size(entry.get(), size);
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_perm(entry.get(), 0644);
        archive_entry_set_mtime(entry.get(), 0, 0);  // the same images are the same archive
        check(archive_write_header(archive_.get(), entry.get()));
    }
    void write(std::string_view data) {
        while (!data.empty()) {
            const la_ssize_t written = archive_write_data(archive_.get(), data.data(), data.size());
            if (written <= 0) check(ARCHIVE_FATAL);
            data.remove_prefix(static_cast<size_t>(written));
        }
    }
    void file(const std::string& name, std::string_view data) {
        begin_file(name, static_cast<int64_t>(data.size()));
        write(data);
    }
    void finish() {
        finished_ = true;
        check(archive_write_close(archive_.get()));
    }

private:
    static la_ssize_t on_write(archive* a, void* self, const void* data, size_t size) {
        auto* stream = static_cast<TarStream*>(self);
        try {
            if (stream->sink_({static_cast<const char*>(data), size})) return static_cast<la_ssize_t>(size);
            stream->failure_ = std::make_exception_ptr(Error(Code::cancelled, "nobody takes the archive any more"));
        } catch (...) {
            stream->failure_ = std::current_exception();
        }
        archive_set_error(a, EIO, "not taken");
        return -1;
    }
    void check(int result) {
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
        if (result >= ARCHIVE_WARN) return;
        const char* text = archive_error_string(archive_.get());
        throw Error(Code::internal, std::string("write archive: ") + (text ? text : "unknown error"));
    }

    std::function<bool(std::string_view)> sink_;
    std::exception_ptr failure_;
    bool finished_ = false;
    std::unique_ptr<archive, int (*)(archive*)> archive_;  // last: it writes when it goes
};

std::string path_of(const Digest& digest) {
    return "blobs/sha256/" + digest.hex();
}

void write_blob(TarStream& tar, const BlobStore& blobs, const Digest& digest, const std::stop_token& stop) {
    Fd file = blobs.open(digest);
    tar.begin_file(path_of(digest), blobs.size(digest));
    Hasher hasher;
    std::string buffer(kPiece, '\0');
    while (true) {
        if (stop.stop_requested()) throw Error(Code::cancelled, "saving was cancelled");
        const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw_errno("read blob " + digest.str());
        if (size == 0) break;
        const std::string_view piece(buffer.data(), static_cast<size_t>(size));
        hasher.update(piece);
        tar.write(piece);
    }
    if (hasher.finish() != digest) throw Error(Code::internal, "blob " + digest.str() + " is damaged");
}

std::string docker_manifest(const std::vector<SavedImage>& images) {
    json list = json::array();
    for (const SavedImage& saved : images) {
        json layers = json::array(), tags = json::array();
        for (const Digest& layer : saved.image->layers) layers.push_back(path_of(layer));
        for (const std::string& name : saved.names) tags.push_back(Reference::parse(name).familiar());
        list.push_back({{"Config", path_of(saved.image->info.id)},
                        {"RepoTags", tags.empty() ? json(nullptr) : tags},
                        {"Layers", layers}});
    }
    return list.dump() + "\n";
}

std::string oci_index(const std::vector<SavedImage>& images) {
    json manifests = json::array();
    for (const SavedImage& saved : images) {
        const ImageInfo& info = saved.image->info;
        json descriptor = {{"mediaType", saved.image->media_type},
                           {"digest", info.manifest.str()},
                           {"size", saved.image->manifest_size},
                           {"platform", {{"os", info.platform.os}, {"architecture", info.platform.architecture}}}};
        if (!info.platform.variant.empty()) descriptor["platform"]["variant"] = info.platform.variant;
        if (saved.names.empty()) manifests.push_back(descriptor);
        for (const std::string& name : saved.names) {
            json named = descriptor;
            named["annotations"] = {{"io.containerd.image.name", name},
                                    {"org.opencontainers.image.ref.name", Reference::parse(name).tag}};
            manifests.push_back(std::move(named));
        }
    }
    return json{{"schemaVersion", 2}, {"mediaType", kOciIndex}, {"manifests", manifests}}.dump() + "\n";
}

}  // namespace

void save_archive(const BlobStore& blobs, const std::vector<SavedImage>& images,
                  const std::function<bool(std::string_view)>& sink, std::stop_token stop) {
    TarStream tar(sink);
    // What tells of the rest comes first: whoever reads from a pipe knows then what is coming.
    tar.file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    tar.file("index.json", oci_index(images));
    tar.file("manifest.json", docker_manifest(images));
    std::set<Digest> written;
    auto write = [&](const Digest& digest) {
        if (written.insert(digest).second) write_blob(tar, blobs, digest, stop);
    };
    for (const SavedImage& saved : images) {
        write(saved.image->info.manifest);
        write(saved.image->info.id);
        for (const Digest& layer : saved.image->layers) write(layer);
    }
    tar.finish();
}

}  // namespace kedge::runtime
