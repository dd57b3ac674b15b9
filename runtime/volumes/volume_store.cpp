#include "runtime/volumes/volume_store.h"

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/folder.h"
#include "base/log.h"
#include "runtime/volumes/copy_tree.h"
#include "runtime/volumes/volume_mount.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace kedge::runtime {

using Durability = Database::Durability;

namespace {

constexpr const char* kData = "_data";
constexpr const char* kFilling = "_filling";         // a fill in progress: thrown away by the next start
constexpr const char* kFilled = "_filled";           // a whole fill that is being moved to _data
constexpr const char* kRemovedPrefix = ".removed-";  // no volume's name begins with a dot

bool is_name(const std::string& name) {
    auto alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    if (name.size() < 2 || name.size() > 255 || !alphanumeric(name[0])) return false;
    return std::all_of(name.begin(), name.end(),
                       [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

/// False for what somebody left there by hand: files, links.
bool is_folder(int parent, const std::string& name) {
    struct stat info {};
    return ::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

Error no_such_volume(const std::string& name) {
    return Error(Code::not_found, "get " + name + ": no such volume");
}

using Texts = std::map<std::string, std::string>;

std::string text_of(const Texts& texts) {
    return nlohmann::json(texts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Texts texts_from(const std::string& text) {
    Texts texts;
    auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_object()) return texts;
    for (auto& [key, value] : parsed.items()) texts[key] = value.is_string() ? value.get<std::string>() : "";
    return texts;
}

void check_options(const VolumeSpec& spec) {
    try {
        check_volume_options(spec.options);
    } catch (const Error& e) {
        throw e.with_context("create " + spec.name);
    }
}

}  // namespace

void VolumeStore::check_name(const std::string& name) {
    if (is_name(name)) return;
    const std::string begin = "create " + name + ": ";
    if (name.size() < 2)
        throw Error(Code::invalid_argument,
                    begin + "volume name is too short, names should be at least two alphanumeric characters");
    throw Error(Code::invalid_argument,
                begin + "\"" + name +
                    "\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
                    "allowed. If you intended to pass a host directory, use absolute path");
}

VolumeStore::VolumeStore(const std::string& folder, Database& database, Events& events, UsedBy used_by)
    : path_(folder), database_(database), events_(events), used_by_(std::move(used_by)) {
    // Others may walk through (a container's user has to reach its volume) but not list.
    make_folders(AT_FDCWD, path_, 0711);
    folder_ = open_at(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
    database_.migrate("volumes", {"CREATE TABLE volumes(name TEXT PRIMARY KEY, labels TEXT NOT NULL, "
                                  "created INTEGER NOT NULL, anonymous INTEGER NOT NULL)",
                                  "ALTER TABLE volumes ADD COLUMN options TEXT NOT NULL DEFAULT '{}'"});
    load();
    adopt_folders();
}

VolumeStore::~VolumeStore() = default;

void VolumeStore::load() {
    database_.read([&](SQLite::Database& db) {
        SQLite::Statement query(db, "SELECT name, labels, created, anonymous, options FROM volumes");
        while (query.executeStep()) {
            VolumeInfo info;
            info.spec.name = query.getColumn(0).getString();
            info.spec.labels = texts_from(query.getColumn(1).getString());
            info.spec.options = texts_from(query.getColumn(4).getString());
            info.created = WallTime(Nanoseconds(query.getColumn(2).getInt64()));
            info.anonymous = query.getColumn(3).getInt() != 0;
            info.mountpoint = path_ + "/" + info.spec.name + "/_data";
            if (is_name(info.spec.name)) volumes_[info.spec.name] = info;
        }
    });
}

void VolumeStore::adopt_folders() {
    // One folder that is in a bad way never keeps the agent from starting.
    auto guarded = [&](const std::string& name, auto&& step) {
        try {
            step();
        } catch (const Error& e) {
            log(LogLevel::error, path_ + "/" + name + ": " + e.what());
        }
    };
    for (const std::string& name : names_in(folder_.get())) {
        if (name.starts_with(kRemovedPrefix))
            guarded(name, [&] { finish_removal(name); });
        else if (is_name(name) && is_folder(folder_.get(), name))
            guarded(name, [&] { adopt_folder(name); });
    }
    for (const auto& [name, info] : volumes_) {
        guarded(name, [&, &volume = name] {
            make_folder(volume);
            finish_fill(volume);
        });
    }
}

/// A removal that was interrupted: `.removed-<volume>-<8 hex>`.
void VolumeStore::finish_removal(const std::string& name) {
    std::string volume = name.substr(std::string_view(kRemovedPrefix).size());
    const size_t end = volume.rfind('-');
    if (end == std::string::npos)
        throw Error(Code::invalid_argument, "not a name that a removal gives, it is left alone");
    volume.resize(end);
    if (volumes_.erase(volume) > 0) {
        database_.transaction(Durability::power, [&](SQLite::Database& db) {
            SQLite::Statement row(db, "DELETE FROM volumes WHERE name = ?");
            row.bind(1, volume);
            row.exec();
        });
    }
    remove_tree(folder_.get(), name);
}

void VolumeStore::adopt_folder(const std::string& name) {
    remove_tree(folder_.get(), name + "/" + kFilling);
    if (volumes_.contains(name)) return;
    VolumeInfo info;
    info.spec.name = name;
    info.created = wall_now();
    info.mountpoint = path_ + "/" + name + "/_data";
    insert(info);
}

void VolumeStore::make_folder(const std::string& name) {
    if (::mkdirat(folder_.get(), name.c_str(), 0711) != 0 && errno != EEXIST)
        throw_errno("mkdir " + path_ + "/" + name);
    Fd volume = open_at(folder_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (::mkdirat(volume.get(), kData, 0755) != 0) {
        if (errno == EEXIST) return;
        throw_errno("mkdir " + path_ + "/" + name + "/_data");
    }
    sync_fd(volume.get());
    sync_fd(folder_.get());
}

void VolumeStore::insert(const VolumeInfo& info) {
    database_.transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement row(db,
                              "INSERT INTO volumes(name, labels, created, anonymous, options) VALUES(?, ?, ?, ?, ?)");
        row.bind(1, info.spec.name);
        row.bind(2, text_of(info.spec.labels));
        row.bind(3, static_cast<int64_t>(info.created.time_since_epoch().count()));
        row.bind(4, info.anonymous ? 1 : 0);
        row.bind(5, text_of(info.spec.options));
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
        throw Error(Code::not_found,
                    fmt::format("create {}: error looking up volume plugin {}: plugin \"{}\" not found", info.spec.name,
                                spec.driver, spec.driver));
    }
    {
        // One that is there is taken as it is, whatever is asked for.
        std::lock_guard lock(mutex_);
        if (auto known = volumes_.find(info.spec.name); known != volumes_.end()) return known->second;
    }
    check_options(info.spec);
    return add(info);
}

void VolumeStore::create_anonymous(const std::string& name, const std::map<std::string, std::string>& options) {
    VolumeInfo info;
    info.spec.name = name;
    info.spec.options = options;
    info.anonymous = true;
    check_name(name);
    check_options(info.spec);
    (void)add(info);
}

VolumeInfo VolumeStore::add(VolumeInfo info) {
    info.created = wall_now();
    info.mountpoint = path_ + "/" + info.spec.name + "/_data";
    std::lock_guard lock(mutex_);
    if (auto known = volumes_.find(info.spec.name); known != volumes_.end()) return known->second;
    fault_point("volume.create.before_record");
    try {
        make_folder(info.spec.name);
        insert(info);
    } catch (...) {
        // Or the next start takes it for a volume. What is not empty is not of this.
        (void)::unlinkat(folder_.get(), (info.spec.name + "/" + kData).c_str(), AT_REMOVEDIR);
        (void)::unlinkat(folder_.get(), info.spec.name.c_str(), AT_REMOVEDIR);
        throw;
    }
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

int64_t VolumeStore::size(const std::string& name) const {
    return tree_size(AT_FDCWD, inspect(name).mountpoint);
}

std::vector<VolumeInfo> VolumeStore::list() const {
    std::lock_guard lock(mutex_);
    std::vector<VolumeInfo> all;
    for (const auto& [name, info] : volumes_) all.push_back(info);
    return all;
}

void VolumeStore::fill(const std::string& name, const std::function<bool(int)>& copy) {
    std::lock_guard lock(filling_);
    Fd volume = open_at(folder_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!names_in(open_at(volume.get(), kData, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).get()).empty()) return;
    remove_tree(volume.get(), kFilling);
    if (::mkdirat(volume.get(), kFilling, 0755) != 0) throw_errno("mkdir " + path_ + "/" + name + "/" + kFilling);
    Fd filled = open_at(volume.get(), kFilling, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
        if (!copy(filled.get())) return remove_tree(volume.get(), kFilling);
        // Only content needs all of the file system's data on disk; an empty folder is its own.
        if (names_in(filled.get()).empty())
            sync_fd(filled.get());
        else if (::syncfs(filled.get()) != 0)
            throw_errno("sync volume " + name);
    } catch (...) {
        remove_tree(volume.get(), kFilling);
        throw;
    }
    fault_point("volume.fill.before_rename");
    rename_durably(volume.get(), kFilling, volume.get(), kFilled);
    fault_point("volume.fill.after_rename");
    finish_fill(name);
}

/// Moves what a complete fill holds into the volume. The next start does it again if it was interrupted.
void VolumeStore::finish_fill(const std::string& name) {
    Fd volume = open_at(folder_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (::faccessat(volume.get(), kFilled, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return;
    Fd filled = open_at(volume.get(), kFilled, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    Fd data = open_at(volume.get(), kData, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat attributes {};
    if (::fstat(filled.get(), &attributes) != 0) throw_errno("stat " + path_ + "/" + name);
    for (const std::string& entry : names_in(filled.get())) {
        // What a container wrote there meanwhile stays.
        if (::renameat2(filled.get(), entry.c_str(), data.get(), entry.c_str(), RENAME_NOREPLACE) != 0 &&
            errno != EEXIST) {
            throw_errno("rename " + entry);
        }
    }
    copy_folder_attributes(filled.get(), data.get());
    timespec times[2] = {attributes.st_atim, attributes.st_mtim};
    if (::futimens(data.get(), times) != 0) throw_errno("set times of volume " + name);
    sync_fd(data.get());
    remove_tree(volume.get(), kFilled);
}

void VolumeStore::publish(const std::string& action, const std::string& name) {
    events_.publish({.type = "volume", .action = action, .id = name, .attributes = {{"driver", "local"}}, .time = {}});
}

}  // namespace kedge::runtime
