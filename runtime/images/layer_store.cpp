#include "runtime/images/layer_store.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/folder.h"
#include "base/log.h"
#include "runtime/images/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <filesystem>
#include <memory>

namespace kedge::runtime {

namespace {

constexpr size_t kShortName = 26;
constexpr std::string_view kTemporary = ".tmp-";
constexpr std::string_view kSetAside = ".damaged-";

std::string short_name(const Digest& diff_id) {
    return diff_id.hex().substr(0, kShortName);
}

std::string temporary_name() {
    return std::string(kTemporary) + random_hex(8);
}

LayerStore::Unpacked read_meta(int root, const std::string& name) {
    auto meta = nlohmann::json::parse(read_file_at(root, name + "/meta.json", 4096));
    return {Digest::parse(meta.at("diff_id").get<std::string>()), meta.at("size").get<int64_t>()};
}

std::string meta_text(const LayerStore::Unpacked& layer) {
    return nlohmann::json{{"diff_id", layer.diff_id.str()}, {"size", layer.size}}.dump() + "\n";
}

/// What is set aside is named after the machine's run: `.damaged-<16 hex>-<16 hex>`. In another one no container has it
/// mounted any more.
std::string set_aside_prefix() {
    std::string boot = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64);
    std::erase_if(boot, [](char c) { return c == '-' || c == '\n'; });
    return std::string(kSetAside) + boot.substr(0, 16) + "-";
}

/// Whether `name` is a layer's folder, and of which layer.
bool is_layer(int root, const std::string& name, LayerStore::Unpacked& layer) {
    try {
        layer = read_meta(root, name);
    } catch (const std::exception&) {
        return false;
    }
    return short_name(layer.diff_id) == name && ::faccessat(root, (name + "/fs").c_str(), F_OK, 0) == 0;
}

}  // namespace

LayerStore::LayerStore(const std::string& folder, int64_t size_limit)
    : folder_(std::filesystem::absolute(folder).lexically_normal()), size_limit_(size_limit) {
    make_folders(AT_FDCWD, folder_);
    root_ = open_at(AT_FDCWD, folder_, O_RDONLY | O_DIRECTORY);
    adopt();
}

/// What a crash or damage left behind goes; a layer that is missing then is unpacked again from its blob. The files of
/// a damaged one stay until the machine starts anew: containers may run with them.
void LayerStore::adopt() {
    const std::string aside = set_aside_prefix();
    for (const std::string& name : names_in(root_.get())) {
        Unpacked layer;
        if (!name.starts_with(kTemporary) && is_layer(root_.get(), name, layer)) {
            sizes_[layer.diff_id] = layer.size;
            continue;
        }
        if (name.starts_with(aside)) continue;
        try {
            const bool was_layer = name.size() == kShortName &&
                                   ::faccessat(root_.get(), (name + "/fs").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
            if (!was_layer) {
                remove_tree(root_.get(), name);
                continue;
            }
            log(LogLevel::error, folder_ + "/" + name + ": its meta.json is damaged: the layer is set aside");
            if (::renameat(root_.get(), name.c_str(), root_.get(), (aside + random_hex(8)).c_str()) != 0)
                throw_errno("set aside");
        } catch (const Error& e) {
            log(LogLevel::error, folder_ + "/" + name + ": " + e.what());
        }
    }
}

bool LayerStore::has_locked(const Digest& diff_id) const {
    if (!sizes_.contains(diff_id)) return false;
    if (::faccessat(root_.get(), (short_name(diff_id) + "/fs").c_str(), F_OK, 0) != 0) return false;
    leases_.touch(diff_id);
    return true;
}

bool LayerStore::has(const Digest& diff_id) const {
    std::lock_guard lock(mutex_);
    return has_locked(diff_id);
}

std::string LayerStore::folder(const Digest& diff_id) const {
    return folder_ + "/" + short_name(diff_id) + "/fs";
}

int64_t LayerStore::size(const Digest& diff_id) const {
    std::lock_guard lock(mutex_);
    auto found = sizes_.find(diff_id);
    if (found == sizes_.end()) throw Error(Code::not_found, "layer " + diff_id.str() + " is not unpacked");
    return found->second;
}

std::vector<Digest> LayerStore::list(WallTime before) const {
    std::lock_guard lock(mutex_);
    std::vector<Digest> digests;
    for (const auto& [digest, size] : sizes_) {
        struct stat info {};
        if (::fstatat(root_.get(), (short_name(digest) + "/meta.json").c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (WallTime(std::chrono::seconds(info.st_mtim.tv_sec)) < before) digests.push_back(digest);
    }
    return digests;
}

LayerStore::Unpacked LayerStore::unpack(int blob_fd, const Digest& expected, std::stop_token stop) {
    if (expected.empty()) return unpack_new(blob_fd, expected, std::move(stop));
    {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, stop, [&] { return !unpacking_.contains(expected); })) {
            throw Error(Code::cancelled, "unpacking was cancelled");
        }
        if (has_locked(expected)) {
            Unpacked there{expected, sizes_.at(expected)};
            lock.unlock();
            check(blob_fd, expected, std::move(stop));
            return there;
        }
        unpacking_.insert(expected);
    }
    auto end = [&](void*) {
        std::lock_guard lock(mutex_);
        unpacking_.erase(expected);
        changed_.notify_all();
    };
    std::unique_ptr<void, decltype(end)> guard(this, end);
    return unpack_new(blob_fd, expected, std::move(stop));
}

/// Whoever said that the blob is this layer may have lied, and the blob is what is saved and unpacked anew later.
void LayerStore::check(int blob_fd, const Digest& expected, std::stop_token stop) const {
    try {
        const Digest actual = diff_id_of(blob_fd, size_limit_, std::move(stop));
        if (actual != expected) throw Error(Code::invalid_argument, "its diff id is " + actual.str());
    } catch (const Error& e) {
        throw e.with_context("check layer " + expected.str());
    }
}

LayerStore::Unpacked LayerStore::unpack_new(int blob_fd, const Digest& expected, std::stop_token stop) {
    const std::string temporary = temporary_name();
    try {
        make_folders(root_.get(), temporary);
        make_folders(root_.get(), temporary + "/fs");
        Fd content = open_at(root_.get(), temporary + "/fs", O_RDONLY | O_DIRECTORY);
        if (::fchmod(content.get(), 0755) != 0) throw_errno("chmod");
        UnpackedTar unpacked = unpack_tar(blob_fd, content.get(), size_limit_, std::move(stop));
        Unpacked layer{unpacked.diff_id, unpacked.size};
        if (!expected.empty() && layer.diff_id != expected) {
            throw Error(Code::invalid_argument, "its diff id is " + layer.diff_id.str());
        }
        Fd meta = open_at(root_.get(), temporary + "/meta.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
        write_all(meta.get(), meta_text(layer));
        fault_point("unpack.layer.before_sync");
        // One call for all the files; it also reports what could not be written since `content` was opened.
        if (::syncfs(content.get()) != 0) throw_errno("sync");
        keep(temporary, layer);
        return layer;
    } catch (const Error& e) {
        remove_tree(root_.get(), temporary);
        throw e.with_context(expected.empty() ? "unpack layer" : "unpack layer " + expected.str());
    } catch (...) {
        remove_tree(root_.get(), temporary);
        throw;
    }
}

/// Gives an unpacked layer its name.
void LayerStore::keep(const std::string& temporary, const Unpacked& layer) {
    std::lock_guard lock(mutex_);
    const std::string name = short_name(layer.diff_id);
    leases_.touch(layer.diff_id);
    Unpacked other;
    if (is_layer(root_.get(), name, other)) {
        if (other.diff_id != layer.diff_id) {
            throw Error(Code::conflict, "the folder " + name + " is of another layer, " + other.diff_id.str());
        }
        sizes_[layer.diff_id] = other.size;
        remove_tree(root_.get(), temporary);  // somebody else unpacked the same meanwhile
        return;
    }
    remove_tree(root_.get(), name);  // damaged while we ran
    fault_point("unpack.layer.before_rename");
    rename_durably(root_.get(), temporary, root_.get(), name);
    fault_point("unpack.layer.after_rename");
    sizes_[layer.diff_id] = layer.size;
}

int64_t LayerStore::remove(const Digest& diff_id) {
    const std::string temporary = temporary_name();
    int64_t freed = 0;
    {
        std::lock_guard lock(mutex_);
        auto found = sizes_.find(diff_id);
        if (leases_.protect(diff_id) || found == sizes_.end()) return 0;
        freed = found->second;
        sizes_.erase(found);
        if (::renameat(root_.get(), short_name(diff_id).c_str(), root_.get(), temporary.c_str()) != 0) {
            if (errno == ENOENT) return 0;
            throw_errno("remove layer " + diff_id.str());
        }
    }
    remove_tree(root_.get(), temporary);
    return freed;
}

LayerStore::Lease::Lease(LayerStore& store) : store_(store) {
    std::lock_guard lock(store_.mutex_);
    store_.leases_.begin();
}

LayerStore::Lease::~Lease() {
    std::lock_guard lock(store_.mutex_);
    store_.leases_.end();
}

}  // namespace kedge::runtime
