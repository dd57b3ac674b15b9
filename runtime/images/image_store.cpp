#include "runtime/images/image_store.h"

#include "base/database.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/images/archive_load.h"
#include "runtime/images/decompress.h"
#include "runtime/images/image_config.h"
#include "runtime/images/look_up.h"
#include "runtime/images/pull.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <array>

namespace kedge::runtime {

namespace {

bool is_hex(std::string_view text) {
    return !text.empty() && text.size() <= 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Names are told with the tag that was looked for.
Error no_such_image(const std::string& reference) {
    bool is_id = reference.starts_with("sha256:") || (reference.size() == 64 && is_hex(reference));
    bool tagged = is_id || reference.find_first_of("@ ") != std::string::npos ||
                  reference.find(':', reference.rfind('/') + 1) != std::string::npos;
    return Error(Code::not_found, "No such image: " + reference + (tagged || reference.empty() ? "" : ":latest"));
}

std::string repository_of(const Reference& reference) {
    return reference.registry + "/" + reference.path;
}

/// Whether an entry is what a name with a digest says: in that repository, or from it.
bool answers_to(const BlobStore::Named& named, const Reference& wanted) {
    if (wanted.digest.empty()) return false;
    if (named.digest != wanted.digest && named.manifest != wanted.digest) return false;
    if (named.repository == repository_of(wanted)) return true;
    return !named.name.empty() && repository_of(Reference::parse(named.name)) == repository_of(wanted);
}

}  // namespace

ImageStore::ImageStore(const std::string& root, RegistrySettings registries, int pull_connections,
                       int64_t layer_size_limit, Database& database, Events& events,
                       std::function<std::set<Digest>()> used_by_containers)
    : blobs_(root + "/images"),
      layers_(root + "/layers", layer_size_limit),
      registries_(std::move(registries)),
      pull_connections_(pull_connections),
      database_(database),
      events_(events),
      used_by_containers_(std::move(used_by_containers)) {
    database_.migrate(
        "images",
        {"CREATE TABLE image_pins(owner TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY(owner, image)) WITHOUT ROWID"});
    database_.read([&](SQLite::Database& db) {
        SQLite::Statement query(db, "SELECT owner, image FROM image_pins");
        while (query.executeStep()) {
            const std::string owner = query.getColumn(0).getString(), image = query.getColumn(1).getString();
            try {
                pins_[owner].insert(Digest::parse(image));
            } catch (const Error&) {
                // It protects nothing that can be named; the owner's next pin takes its place.
                log(LogLevel::error, "kedge.db: the pin \"" + image + "\" of " + owner + " is damaged and ignored");
            }
        }
    });
}

std::shared_ptr<const StoredImage> ImageStore::cached(const Digest& manifest) const {
    {
        std::shared_lock lock(cache_mutex_);
        if (auto found = cache_.find(manifest); found != cache_.end()) return found->second;
    }
    auto image = std::make_shared<const StoredImage>(read_stored_image(blobs_, manifest));
    std::unique_lock lock(cache_mutex_);
    return cache_.emplace(manifest, std::move(image)).first->second;
}

std::vector<ImageStore::Entry> ImageStore::entries() const {
    std::vector<Entry> all;
    for (Named& named : blobs_.names()) {
        try {
            auto image = cached(named.manifest);
            all.push_back({std::move(named), std::move(image)});
        } catch (const Error& e) {
            if (e.code() != Code::not_found && e.code() != Code::invalid_argument) throw;
        }
    }
    return all;
}

KnownLayers ImageStore::known_layers() const {
    KnownLayers known;
    for (const Entry& entry : entries()) {
        for (size_t i = 0; i < entry.image->layers.size(); ++i)
            known.emplace(entry.image->layers[i], entry.image->info.diff_ids[i]);
    }
    return known;
}

ImageStore::Entry ImageStore::find(const std::string& reference) const {
    return find(entries(), reference);
}

ImageStore::Entry ImageStore::find(const std::vector<Entry>& all, const std::string& reference) const {
    if (reference.size() != 64 || !is_hex(reference)) {
        const Reference wanted = [&] {
            try {
                return Reference::parse(reference);
            } catch (const Error&) {
                return Reference{};  // it may still be an id
            }
        }();
        if (!wanted.path.empty()) {
            for (const Entry& entry : all) {
                if (entry.named.name == wanted.full()) return entry;
            }
            for (const Entry& entry : all) {
                if (answers_to(entry.named, wanted)) return entry;
            }
        }
    }
    std::string_view prefix = reference;
    if (prefix.starts_with("sha256:")) prefix.remove_prefix(7);
    if (!is_hex(prefix)) throw no_such_image(reference);
    const Entry* match = nullptr;
    for (const Entry& entry : all) {
        if (!entry.image->info.id.hex().starts_with(prefix)) continue;
        if (match && match->image->info.id != entry.image->info.id) {
            throw Error(Code::invalid_argument, "multiple IDs found with provided prefix: " + reference);
        }
        if (!match) match = &entry;
    }
    if (!match) throw no_such_image(reference);
    return *match;
}

ImageInfo ImageStore::describe(const std::vector<Entry>& all, const Digest& id) const {
    ImageInfo info;
    for (const Entry& entry : all) {
        if (entry.image->info.id != id) continue;
        if (info.id.empty()) {
            info = entry.image->info;
            if (entry.named.digest != entry.named.manifest) info.index = entry.named.digest;
        }
        if (!entry.named.name.empty()) {
            Reference name = Reference::parse(entry.named.name);
            if (!name.tag.empty()) info.tags.push_back(name.familiar());
        }
        if (!entry.named.repository.empty()) {
            Reference name = Reference::parse(entry.named.repository + "@" + entry.named.digest.str());
            std::string text = name.familiar();
            if (std::find(info.repo_digests.begin(), info.repo_digests.end(), text) == info.repo_digests.end()) {
                info.repo_digests.push_back(std::move(text));
            }
        }
    }
    if (info.id.empty()) throw no_such_image(id.str());
    std::set<Digest> counted;
    for (const Digest& diff_id : info.diff_ids) {
        info.layer_sizes.push_back(layers_.has(diff_id) ? layers_.size(diff_id) : 0);
        if (counted.insert(diff_id).second) info.size += info.layer_sizes.back();
    }
    return info;
}

ImageInfo ImageStore::get(const std::string& reference) const {
    const std::vector<Entry> all = entries();
    return describe(all, find(all, reference).image->info.id);
}

std::vector<ImageInfo> ImageStore::list() const {
    const std::vector<Entry> all = entries();
    std::set<Digest> ids;
    for (const Entry& entry : all) ids.insert(entry.image->info.id);
    std::vector<ImageInfo> images;
    for (const Digest& id : ids) images.push_back(describe(all, id));
    std::stable_sort(images.begin(), images.end(),
                     [](const ImageInfo& a, const ImageInfo& b) { return a.created > b.created; });
    return images;
}

void ImageStore::publish(const std::string& action, const std::string& id, const std::string& name,
                         const ImageConfig& config) const {
    Event event;
    event.type = "image";
    event.action = action;
    event.id = id;
    event.attributes = config.labels;
    event.attributes["name"] = name;
    events_.publish(std::move(event));
}

/// Gives the entry its name. An image that loses this name stays, without one, until it is collected.
void ImageStore::assign(const Named& named) {
    std::vector<Named> names = blobs_.names();
    auto has_entry = [&](const Digest& manifest) {
        return std::any_of(names.begin(), names.end(), [&](const Named& other) { return other.manifest == manifest; });
    };
    auto old = std::find_if(names.begin(), names.end(),
                            [&](const Named& other) { return !named.name.empty() && other.name == named.name; });
    if (old != names.end()) {
        Named displaced = *old;
        names.erase(old);
        displaced.name.clear();
        if (displaced.manifest != named.manifest && !has_entry(displaced.manifest)) names.push_back(displaced);
    }
    if (!named.name.empty()) {
        std::erase_if(names,
                      [&](const Named& other) { return other.name.empty() && other.manifest == named.manifest; });
    }
    if (!named.name.empty() || !has_entry(named.manifest)) names.push_back(named);
    blobs_.set_names(std::move(names));
}

ImageInfo ImageStore::pull(const std::string& reference, const PullOptions& options, const ProgressSink& progress,
                           std::stop_token stop) {
    const Reference wanted = Reference::parse(reference);
    BlobStore::Lease blobs_lease(blobs_);
    LayerStore::Lease layers_lease(layers_);
    Pulled pulled = pull_image(blobs_, layers_, registries_, pull_connections_, wanted, options, progress,
                               std::move(stop), known_layers());
    Named named;
    Reference name = wanted;
    if (!name.digest.empty()) name.tag.clear();  // as Docker: with a digest the tag says nothing
    named.name = name.full();
    named.media_type = pulled.media_type;
    named.digest = pulled.index.empty() ? pulled.manifest : pulled.index;
    named.size = pulled.size;
    named.manifest = pulled.manifest;
    named.repository = repository_of(wanted);
    std::lock_guard lock(change_);
    auto image = cached(named.manifest);
    assign(named);
    Reference bare = wanted;
    bare.tag.clear();
    bare.digest = {};
    publish("pull", name.familiar(), bare.familiar(), image->info.config);
    return describe(entries(), image->info.id);
}

RemoteImage ImageStore::look_up(const std::string& reference, const std::optional<Credentials>& credentials,
                                std::stop_token stop) const {
    return look_up_image(registries_, Reference::parse(reference), credentials, std::move(stop));
}

/// A tar as a blob: as it came if it is compressed in a way that a manifest has a type for, else compressed with gzip,
/// which every tool reads.
Digest ImageStore::store_tar(int tar_fd, std::stop_token stop) {
    auto source = std::make_unique<FdStream>(tar_fd);
    const Compression compression = detect_compression(source->head());
    BlobStore::Writer writer(blobs_, {});
    auto store = [&](std::string_view piece) {
        if (stop.stop_requested()) throw Error(Code::cancelled, "it was cancelled");
        writer.write(piece);
    };
    if (compression == Compression::gzip || compression == Compression::zstd) {
        std::vector<char> buffer(256u << 10);
        while (size_t size = source->read(buffer.data(), buffer.size())) store({buffer.data(), size});
    } else {
        compress_gzip(*decompress(std::move(source), compression), store);
    }
    return writer.commit();
}

ImageInfo ImageStore::import(int tar_fd, const ImportOptions& options, const ProgressSink& /*progress*/,
                             std::stop_token stop) {
    std::optional<Reference> name;
    if (!options.reference.empty()) name = Reference::parse(options.reference);
    if (name && !name->digest.empty()) throw Error(Code::invalid_argument, "cannot import digest reference");
    ImageConfig config;
    apply_changes(config, options.changes);
    const std::vector<Digest> before = blobs_.list();
    try {
        BlobStore::Lease blobs_lease(blobs_);
        LayerStore::Lease layers_lease(layers_);
        const Digest blob = store_tar(tar_fd, stop);
        const Digest diff_id = layers_.unpack(blobs_.open(blob).get(), {}, stop).diff_id;
        const Digest id = blobs_.put(make_image_config(config, options.platform.value_or(Platform::host()), diff_id,
                                                       wall_now(), options.message));
        Named named = put_manifest(blobs_, id, {describe_layer(blobs_, blob)});
        if (name) named.name = name->full();
        std::lock_guard lock(change_);
        assign(named);
        if (name) publish("tag", id.str(), name->familiar(), config);
        publish("import", id.str(), id.str(), config);
        return describe(entries(), id);
    } catch (...) {
        discard_new({before.begin(), before.end()});
        throw;
    }
}

std::vector<ImageInfo> ImageStore::load(int archive_fd, const ProgressSink& progress, std::stop_token stop) {
    const std::vector<Digest> list = blobs_.list();
    const std::set<Digest> before(list.begin(), list.end());
    std::vector<ImageInfo> images;
    try {
        BlobStore::Lease blobs_lease(blobs_);
        LayerStore::Lease layers_lease(layers_);
        std::vector<LoadedImage> loaded =
            load_archive(blobs_, layers_, archive_fd, known_layers(), progress, std::move(stop));
        std::lock_guard lock(change_);
        for (LoadedImage& image : loaded) {
            if (image.names.empty()) assign(image.entry);
            for (const std::string& name : image.names) {
                image.entry.name = name;
                assign(image.entry);
            }
            auto stored = cached(image.entry.manifest);
            publish("load", stored->info.id.str(), stored->info.id.str(), stored->info.config);
        }
        const std::vector<Entry> all = entries();
        for (const LoadedImage& image : loaded) {
            images.push_back(describe(all, cached(image.entry.manifest)->info.id));
            images.back().tags.clear();
            for (const std::string& name : image.names) images.back().tags.push_back(Reference::parse(name).familiar());
        }
    } catch (...) {
        discard_new(before);
        throw;
    }
    discard_new(before);  // files of the archive that belong to no image
    return images;
}

void ImageStore::tag(const std::string& source, const std::string& target) {
    const Reference name = Reference::parse(target);
    if (!name.digest.empty()) throw Error(Code::invalid_argument, "refusing to create a tag with a digest reference");
    std::lock_guard lock(change_);
    const Entry entry = find(source);
    Named named = entry.named;
    named.name = name.full();
    // A digest is known to exist in the repository that it was pulled from, nowhere else.
    if (named.repository != repository_of(name)) named.repository.clear();
    assign(named);
    publish("tag", entry.image->info.id.str(), name.familiar(), entry.image->info.config);
}

std::vector<std::string> ImageStore::layer_folders(const Digest& image_id) const {
    const Entry entry = find(image_id.str());
    const StoredImage& image = *entry.image;
    std::vector<std::string> folders;
    std::set<Digest> seen;
    for (size_t i = image.layers.size(); i-- > 0;) {
        const Digest& diff_id = image.info.diff_ids[i];
        // Overlayfs takes a folder once; a second one further down adds nothing to the same one above it.
        if (!seen.insert(diff_id).second) continue;
        // Lost or damaged: it is made again from its blob.
        if (!layers_.has(diff_id)) (void)layers_.unpack(blobs_.open(image.layers[i]).get(), diff_id);
        folders.push_back(layers_.folder(diff_id));
    }
    return folders;
}

}  // namespace kedge::runtime
