// What takes images away: names, pins, collection.
#include "runtime/images/image_store.h"

#include "base/database.h"
#include "base/error.h"
#include "base/log.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>

namespace kedge::runtime {

namespace {

constexpr auto kGrace = std::chrono::hours(24);

std::string short_id(const Digest& id) {
    return id.hex().substr(0, 12);
}

std::string repository_of(const std::string& name) {
    Reference reference = Reference::parse(name);
    return reference.registry + "/" + reference.path;
}

bool has_tag(const std::string& name) {
    return !Reference::parse(name).tag.empty();
}

}  // namespace

std::set<Digest> ImageStore::used_ids() const {
    std::set<Digest> used = used_by_containers_();
    for (const auto& [owner, images] : pins_) used.insert(images.begin(), images.end());
    return used;
}

/// An image that a container or a kept release uses and whose manifest or configuration is damaged or gone: which
/// content is its own is not known.
std::optional<Digest> ImageStore::unreadable(const std::vector<Entry>& all) const {
    for (const Digest& id : used_ids()) {
        if (std::none_of(all.begin(), all.end(), [&](const Entry& entry) { return entry.image->info.id == id; }))
            return id;
    }
    return std::nullopt;
}

std::vector<RemovedImage> ImageStore::remove(const std::string& reference, bool force) {
    std::lock_guard lock(change_);
    const std::vector<Entry> all = entries();
    const Entry entry = find(all, reference);
    const Digest id = entry.image->info.id;
    std::string_view prefix = reference;
    if (prefix.starts_with("sha256:")) prefix.remove_prefix(7);
    const bool by_id = id.hex().starts_with(prefix) || entry.named.name.empty();
    return by_id ? remove_image(all, id, force) : remove_name(all, entry, reference, force);
}

std::vector<RemovedImage> ImageStore::remove_name(const std::vector<Entry>& all, const Entry& entry,
                                                  const std::string& reference, bool force) {
    const Digest id = entry.image->info.id;
    std::vector<RemovedImage> removed;
    std::vector<Named> left;
    for (const Entry& other : all) {
        if (other.image->info.id == id && !other.named.name.empty() && other.named.name != entry.named.name)
            left.push_back(other.named);
    }
    // With its last tag, a repository's digest names go too.
    const std::string repository = repository_of(entry.named.name);
    auto same_repository = [&](const Named& named) { return repository_of(named.name) == repository; };
    bool tagged = std::any_of(left.begin(), left.end(),
                              [&](const Named& named) { return same_repository(named) && has_tag(named.name); });
    std::set<std::string> names{entry.named.name};
    if (has_tag(entry.named.name) && !tagged) {
        for (const Named& named : left) {
            if (same_repository(named)) names.insert(named.name);
        }
        std::erase_if(left, same_repository);
    }
    const bool used = left.empty() && used_ids().contains(id);
    if (used && !force) {
        const bool by_container = used_by_containers_().contains(id);
        throw Error(Code::conflict, "conflict: unable to remove repository reference \"" + reference +
                                        "\" (must force) - a " + (by_container ? "container" : "kept release") +
                                        " is using its referenced image " + short_id(id));
    }
    std::vector<Named> kept = blobs_.names();
    std::erase_if(kept, [&](const Named& named) { return names.contains(named.name); });
    if (left.empty()) {  // until drop() below, or for as long as it is used, it is there without a name
        kept.push_back(entry.named);
        kept.back().name.clear();
    }
    blobs_.set_names(std::move(kept));
    for (const std::string& name : names) {
        removed.push_back({Reference::parse(name).familiar(), {}, 0});
        publish("untag", id.str(), id.str(), entry.image->info.config);
    }
    if (!left.empty() || used) return removed;
    removed.push_back({"", id, drop(id)});
    return removed;
}

std::vector<RemovedImage> ImageStore::remove_image(const std::vector<Entry>& all, const Digest& id, bool force) {
    auto refuse = [&](const std::string& how, const std::string& why) {
        throw Error(Code::conflict, "conflict: unable to delete " + short_id(id) + " (" + how + ") - " + why);
    };
    std::vector<RemovedImage> removed;
    std::set<std::string> repositories;
    size_t tags = 0;
    std::shared_ptr<const StoredImage> image;
    for (const Entry& entry : all) {
        if (entry.image->info.id != id) continue;
        image = entry.image;
        if (entry.named.name.empty()) continue;
        removed.push_back({Reference::parse(entry.named.name).familiar(), {}, 0});
        repositories.insert(repository_of(entry.named.name));
        if (has_tag(entry.named.name)) ++tags;
    }
    if (used_by_containers_().contains(id)) refuse("cannot be forced", "image is being used by a container");
    if (used_ids().contains(id)) refuse("cannot be forced", "image is needed by a kept release");
    if (!force && (repositories.size() > 1 || tags > 1))
        refuse("must be forced", "image is referenced in multiple repositories");
    for (size_t i = 0; i < removed.size(); ++i) publish("untag", id.str(), id.str(), image->info.config);
    removed.push_back({"", id, drop(id)});
    return removed;
}

void ImageStore::pin(const std::string& owner, const std::set<Digest>& image_ids) {
    std::lock_guard lock(change_);
    database_.transaction(Database::Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement clear(db, "DELETE FROM image_pins WHERE owner = ?");
        clear.bind(1, owner);
        clear.exec();
        SQLite::Statement insert(db, "INSERT INTO image_pins(owner, image) VALUES(?, ?)");
        for (const Digest& id : image_ids) {
            insert.bind(1, owner);
            insert.bind(2, id.str());
            insert.exec();
            insert.reset();
        }
    });
    if (image_ids.empty())
        pins_.erase(owner);
    else
        pins_[owner] = image_ids;
}

/// Takes an image away: its entries first, then what only it needed.
int64_t ImageStore::drop(const Digest& id) {
    std::set<Digest> blobs;
    std::set<Digest> layers;
    std::set<Digest> manifests;
    std::shared_ptr<const StoredImage> image;
    for (const Entry& entry : entries()) {
        if (entry.image->info.id != id) continue;
        image = entry.image;
        manifests.insert(entry.named.manifest);
        blobs.insert({entry.named.digest, entry.named.manifest, id});
        blobs.insert(image->layers.begin(), image->layers.end());
        layers.insert(image->info.diff_ids.begin(), image->info.diff_ids.end());
    }
    if (!image) return 0;
    std::vector<Named> names = blobs_.names();
    std::erase_if(names, [&](const Named& named) { return manifests.contains(named.manifest); });
    blobs_.set_names(std::move(names));
    {
        std::unique_lock lock(cache_mutex_);
        for (const Digest& manifest : manifests) cache_.erase(manifest);
    }
    publish("delete", id.str(), id.str(), image->info.config);
    return release(blobs, layers);
}

/// Removes content that no entry needs and no operation in progress came across. Returns the bytes freed.
int64_t ImageStore::release(const std::set<Digest>& blobs, const std::set<Digest>& layers) {
    std::set<Digest> needed;
    std::set<Digest> needed_layers;
    for (const Named& named : blobs_.names()) needed.insert({named.digest, named.manifest});
    const std::vector<Entry> all = entries();
    if (std::optional<Digest> lost = unreadable(all)) {
        log(LogLevel::warning,
            "no image content is removed: image " + short_id(*lost) + " is in use and can't be read, pull it again");
        return 0;
    }
    for (const Entry& entry : all) {
        const StoredImage& image = *entry.image;
        needed.insert(image.info.id);
        needed.insert(image.layers.begin(), image.layers.end());
        needed_layers.insert(image.info.diff_ids.begin(), image.info.diff_ids.end());
    }
    int64_t freed = 0;
    for (const Digest& digest : blobs) {
        if (!needed.contains(digest)) freed += blobs_.remove(digest);
    }
    for (const Digest& diff_id : layers) {
        if (!needed_layers.contains(diff_id)) freed += layers_.remove(diff_id);
    }
    return freed;
}

int64_t ImageStore::collect() {
    std::lock_guard lock(change_);
    const std::set<Digest> used = used_ids();
    const std::vector<Entry> all = entries();
    std::set<Digest> named;
    for (const Entry& entry : all) {
        if (!entry.named.name.empty()) named.insert(entry.image->info.id);
    }
    std::set<Digest> unnamed;
    std::set<Digest> superseded;  // the same image came again, with another manifest
    for (const Entry& entry : all) {
        if (entry.named.name.empty() && named.contains(entry.image->info.id))
            superseded.insert(entry.named.manifest);
        else if (entry.named.name.empty())
            unnamed.insert(entry.image->info.id);
    }
    std::vector<Named> names = blobs_.names();
    std::erase_if(names, [&](const Named& entry) { return entry.name.empty() && superseded.contains(entry.manifest); });
    blobs_.set_names(std::move(names));
    int64_t freed = 0;
    for (const Digest& id : unnamed) {
        if (!used.contains(id)) freed += drop(id);
    }
    return freed + sweep();
}

/// Content that belongs to no image: what a broken-off pull brought stays a day for the next try.
int64_t ImageStore::sweep() {
    const WallTime before = wall_now() - kGrace;
    const std::vector<Digest> blobs = blobs_.list(before);
    const std::vector<Digest> layers = layers_.list(before);
    return release({blobs.begin(), blobs.end()}, {layers.begin(), layers.end()}) + blobs_.remove_partials(before);
}

/// Removes what an operation that failed has stored; called once its lease ended.
void ImageStore::discard_new(const std::set<Digest>& before) {
    std::lock_guard lock(change_);
    std::set<Digest> fresh;
    for (const Digest& digest : blobs_.list()) {
        if (!before.contains(digest)) fresh.insert(digest);
    }
    (void)release(fresh, {});
}

}  // namespace kedge::runtime
