#include "runtime/images/archive_save.h"

#include "base/error.h"
#include "base/tar/tar_writer.h"
#include "runtime/images/media_types.h"

#include <unistd.h>
#include <nlohmann/json.hpp>

#include <cerrno>

namespace kedge::runtime {

namespace {

using nlohmann::json;

constexpr size_t kPiece = 256u << 10;

void begin_file(TarWriter& tar, const std::string& name, int64_t size) {
    TarEntry entry;  // without a time: the same images are the same archive
    entry.path = name;
    entry.mode = 0644;
    entry.size = size;
    tar.begin(entry);
}

void write_file(TarWriter& tar, const std::string& name, std::string_view data) {
    begin_file(tar, name, static_cast<int64_t>(data.size()));
    tar.data(data);
}

std::string path_of(const Digest& digest) {
    return "blobs/sha256/" + digest.hex();
}

void write_blob(TarWriter& tar, const BlobStore& blobs, const Digest& digest, const std::stop_token& stop) {
    Fd file = blobs.open(digest);
    begin_file(tar, path_of(digest), blobs.size(digest));
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
        tar.data(piece);
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
    TarWriter tar([&](std::string_view piece) {
        if (!sink(piece)) throw Error(Code::cancelled, "nobody takes the archive any more");
    });
    // What tells of the rest comes first: whoever reads from a pipe knows then what is coming.
    write_file(tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    write_file(tar, "index.json", oci_index(images));
    write_file(tar, "manifest.json", docker_manifest(images));
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
