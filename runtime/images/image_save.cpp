// Which images, under which names, go into an archive.
#include "base/error.h"
#include "runtime/images/archive_save.h"
#include "runtime/images/image_store.h"

#include <algorithm>

namespace kedge::runtime {

namespace {

/// Neither tag nor digest: `busybox`, `localhost:5000/busybox`.
bool is_repository(const std::string& reference) {
    return reference.find('@') == std::string::npos &&
           reference.find(':', reference.rfind('/') == std::string::npos ? 0 : reference.rfind('/')) ==
               std::string::npos;
}

std::string repository_of(const Reference& reference) {
    return reference.registry + "/" + reference.path;
}

SavedImage& image_in(std::vector<SavedImage>& images, const std::shared_ptr<const StoredImage>& image) {
    auto found = std::find_if(images.begin(), images.end(), [&](const SavedImage& saved) {
        return saved.image->info.manifest == image->info.manifest;
    });
    return found == images.end() ? images.emplace_back(SavedImage{image, {}}) : *found;
}

/// While one lives, what it looked at stays.
struct Hold {
    explicit Hold(BlobStore& blobs) : lease(blobs) {}
    BlobStore::Lease lease;
};

}  // namespace

Images::Archive ImageStore::save(const std::vector<std::string>& references) {
    if (references.empty()) throw Error(Code::invalid_argument, "no image was named");
    auto hold = std::make_shared<Hold>(blobs_);
    const std::vector<Entry> all = entries();
    std::vector<SavedImage> images;
    auto add_repository = [&](const std::string& reference) {
        std::string repository;
        try {
            repository = repository_of(Reference::parse(reference));
        } catch (const Error&) {
            return false;  // it may still be an id
        }
        bool found = false;
        for (const Entry& entry : all) {
            if (entry.named.name.empty()) continue;
            const Reference name = Reference::parse(entry.named.name);
            if (name.tag.empty() || repository_of(name) != repository) continue;
            image_in(images, entry.image).names.insert(entry.named.name);
            found = true;
        }
        return found;
    };
    for (const std::string& reference : references) {
        if (is_repository(reference) && add_repository(reference)) continue;
        const Entry entry = find(all, reference);
        SavedImage& saved = image_in(images, entry.image);
        const bool by_id = entry.named.name.empty() || is_repository(reference) || reference.starts_with("sha256:");
        if (!by_id && !Reference::parse(entry.named.name).tag.empty()) saved.names.insert(entry.named.name);
    }
    for (const SavedImage& saved : images) {
        std::vector<Digest> needed = saved.image->layers;
        needed.insert(needed.end(), {saved.image->info.manifest, saved.image->info.id});
        for (const Digest& digest : needed) {
            if (blobs_.has(digest)) continue;
            throw Error(Code::not_found,
                        "image " + saved.image->info.id.hex().substr(0, 12) + " can't be saved: its blob " +
                            digest.str() + " is not stored",
                        "pull it again");
        }
    }
    for (const SavedImage& saved : images) {
        const ImageInfo& info = saved.image->info;
        publish("save", info.id.str(), info.id.str(), info.config);
    }
    return [this, hold, images](const std::function<bool(std::string_view)>& sink, std::stop_token stop) {
        save_archive(blobs_, images, sink, std::move(stop));
    };
}

}  // namespace kedge::runtime
