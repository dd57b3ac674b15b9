#include "runtime/volumes/volume_store.h"

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "runtime/volumes/folder_list.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace kedge::runtime {

using Durability = Database::Durability;

namespace {

constexpr const char* kRemovedPrefix = ".removed-";  // no volume's name begins with a dot

bool is_name(const std::string& name) {
    auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    if (name.size() < 2 || name.size() > 255 || !alphanumeric(name[0])) return false;
    return std::all_of(name.begin(), name.end(),
                       [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Error no_such_volume(const std::string& name) {
    return Error(Code::not_found, "get " + name + ": no such volume");
}

std::string labels_text(const VolumeSpec& spec) {
    return nlohmann::json(spec.labels).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void VolumeStore::check_name(const std::string& name) {
    if (is_name(name)) return;
    throw Error(Code::invalid_argument,
                fmt::format("\"{}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" "
                            "are allowed",
                            name),
                "If you intended to pass a host directory, use absolute path");
}

VolumeStore::VolumeStore(const std::string& folder, Database& database, Events& events, UsedBy used_by)
    : path_(folder), database_(database), events_(events), used_by_(std::move(used_by)) {
    // Others may walk through (a container's user has to reach its volume) but not list.
    make_folders(AT_FDCWD, path_, 0711);
    folder_ = open_at(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
    database_.migrate("volumes", {"CREATE TABLE volumes(name TEXT PRIMARY KEY, labels TEXT NOT NULL, "
                                  "created INTEGER NOT NULL, anonymous INTEGER NOT NULL)"});
    load();
    adopt_folders();
}

VolumeStore::~VolumeStore() = default;

void VolumeStore::load() {
    database_.read([&](SQLite::Database& db) {
        SQLite::Statement query(db, "SELECT name, labels, created, anonymous FROM volumes");
        while (query.executeStep()) {
            VolumeInfo info;
            info.spec.name = query.getColumn(0).getString();
            auto labels = nlohmann::json::parse(query.getColumn(1).getString(), nullptr, false);
            if (labels.is_object()) {
                for (auto& [key, value] : labels.items()) info.spec.labels[key] = value.is_string() ? value.get<std::string>() : "";
            }
            info.created = WallTime(Nanoseconds(query.getColumn(2).getInt64()));
            info.anonymous = query.getColumn(3).getInt() != 0;
            info.mountpoint = path_ + "/" + info.spec.name + "/_data";
            if (is_name(info.spec.name)) volumes_[info.spec.name] = info;
        }
    });
}

void VolumeStore::adopt_folders() {
    for (const std::string& name : names_in(folder_.get())) {
        if (name.starts_with(kRemovedPrefix)) {  // a removal that was interrupted
            std::string volume = name.substr(std::string(kRemovedPrefix).size());
            volume.resize(volume.rfind('-'));
            if (volumes_.erase(volume) > 0) {
                database_.transaction(Durability::power, [&](SQLite::Database& db) {
                    SQLite::Statement row(db, "DELETE FROM volumes WHERE name = ?");
                    row.bind(1, volume);
                    row.exec();
                });
            }
            remove_tree(folder_.get(), name);
        } else if (is_name(name)) {
            remove_tree(folder_.get(), name + "/_fill");
            if (volumes_.contains(name)) continue;
            VolumeInfo info;
            info.spec.name = name;
            info.created = wall_now();
            info.mountpoint = path_ + "/" + name + "/_data";
            insert(info);
        }
    }
    for (const auto& [name, info] : volumes_) make_folder(name);
}

void VolumeStore::make_folder(const std::string& name) {
    if (::mkdirat(folder_.get(), name.c_str(), 0711) != 0 && errno != EEXIST) throw_errno("mkdir " + path_ + "/" + name);
    Fd volume = open_at(folder_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (::mkdirat(volume.get(), "_data", 0755) != 0) {
        if (errno == EEXIST) return;
        throw_errno("mkdir " + path_ + "/" + name + "/_data");
    }
    sync_fd(volume.get());
    sync_fd(folder_.get());
}

void VolumeStore::insert(const VolumeInfo& info) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement row(db, "INSERT INTO volumes(name, labels, created, anonymous) VALUES(?, ?, ?, ?)");
        row.bind(1, info.spec.name);
        row.bind(2, labels_text(info.spec));
        row.bind(3, static_cast<int64_t>(info.created.time_since_epoch().count()));
        row.bind(4, info.anonymous ? 1 : 0);
        row.exec();
    });
    volumes_[info.spec.name] = info;
}

VolumeInfo VolumeStore::create(const VolumeSpec& spec) {
    VolumeInfo info;
    info.spec = spec;
    info.anonymous = spec.name.empty();
    if (info.anonymous) info.spec.name = random_hex(32);
    check_name(info.spec.name);
    if (spec.driver.empty()) info.spec.driver = "local";
    if (info.spec.driver != "local") {
        throw Error(Code::not_found, fmt::format("volume driver \"{}\" is not supported, only \"local\" is", spec.driver));
    }
    if (!spec.options.empty()) {
        throw Error(Code::invalid_argument,
                    fmt::format("volume {}: driver option \"{}\" is not supported", info.spec.name, spec.options.begin()->first));
    }
    info.created = wall_now();
    info.mountpoint = path_ + "/" + info.spec.name + "/_data";

    std::lock_guard lock(mutex_);
    if (auto known = volumes_.find(info.spec.name); known != volumes_.end()) return known->second;
    fault_point("volume.create.before_record");
    make_folder(info.spec.name);
    insert(info);
    fault_point("volume.create.after_record");
    publish("create", info.spec.name);
    return info;
}

void VolumeStore::remove(const std::string& name, bool force) {
    std::lock_guard lock(mutex_);
    if (!volumes_.contains(name)) {
        if (force) return;
        throw no_such_volume(name);
    }
    if (auto users = used_by_(name); !users.empty()) {
        throw Error(Code::conflict, fmt::format("remove {}: volume is in use - [{}]", name, fmt::join(users, ", ")));
    }
    // Out of sight in one step; whatever happens after it, the next start finishes.
    std::string removed = kRemovedPrefix + name + "-" + random_hex(4);
    rename_durably(folder_.get(), name, folder_.get(), removed);
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement row(db, "DELETE FROM volumes WHERE name = ?");
        row.bind(1, name);
        row.exec();
    });
    volumes_.erase(name);
    remove_tree(folder_.get(), removed);
    publish("destroy", name);
}

VolumeInfo VolumeStore::inspect(const std::string& name) const {
    std::lock_guard lock(mutex_);
    auto found = volumes_.find(name);
    if (found == volumes_.end()) throw no_such_volume(name);
    return found->second;
}

std::vector<VolumeInfo> VolumeStore::list() const {
    std::lock_guard lock(mutex_);
    std::vector<VolumeInfo> all;
    for (const auto& [name, info] : volumes_) all.push_back(info);
    return all;
}

void VolumeStore::fill(const std::string& name, const std::function<void(int)>& copy) {
    std::lock_guard lock(filling_);
    Fd volume = open_at(folder_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!names_in(open_at(volume.get(), "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get()).empty()) return;
    remove_tree(volume.get(), "_fill");
    if (::mkdirat(volume.get(), "_fill", 0755) != 0) throw_errno("mkdir " + path_ + "/" + name + "/_fill");
    Fd filled = open_at(volume.get(), "_fill", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
        copy(filled.get());
        if (::syncfs(filled.get()) != 0) throw_errno("sync volume " + name);
    } catch (...) {
        remove_tree(volume.get(), "_fill");
        throw;
    }
    fault_point("volume.fill.before_rename");
    rename_durably(volume.get(), "_fill", volume.get(), "_data");  // an empty folder gives way to a rename
    fault_point("volume.fill.after_rename");
}

void VolumeStore::publish(const std::string& action, const std::string& name) {
    events_.publish({.type = "volume", .action = action, .id = name, .attributes = {{"driver", "local"}}, .time = {}});
}

}  // namespace kedge::runtime
