#include "runtime/containers/tmpfs_options.h"

#include "base/error.h"

#include <linux/mount.h>

#include <algorithm>
#include <cstdio>

namespace kedge::runtime {

namespace {

constexpr uint64_t kAccessTimes = MOUNT_ATTR__ATIME;

/// What is taken back and what is set of a mount. Relatime is what there is without a word.
const struct {
    const char* name;
    uint64_t clear, set;
} kFlags[] = {{"noexec", 0, MOUNT_ATTR_NOEXEC},
              {"exec", MOUNT_ATTR_NOEXEC, 0},
              {"nosuid", 0, MOUNT_ATTR_NOSUID},
              {"suid", MOUNT_ATTR_NOSUID, 0},
              {"nodev", 0, MOUNT_ATTR_NODEV},
              {"dev", MOUNT_ATTR_NODEV, 0},
              {"ro", 0, MOUNT_ATTR_RDONLY},
              {"rw", MOUNT_ATTR_RDONLY, 0},
              {"noatime", kAccessTimes, MOUNT_ATTR_NOATIME},
              {"atime", MOUNT_ATTR_NOATIME, 0},
              {"relatime", kAccessTimes, 0},
              {"norelatime", 0, 0},
              {"strictatime", kAccessTimes, MOUNT_ATTR_STRICTATIME},
              {"nostrictatime", MOUNT_ATTR_STRICTATIME, 0},
              {"nodiratime", 0, MOUNT_ATTR_NODIRATIME},
              {"diratime", MOUNT_ATTR_NODIRATIME, 0},
              {"defaults", 0, 0}};

/// Of the file system, each taken back by the one beside it: the kernel reads them in their order.
constexpr const char* kSuperblockFlags[] = {"sync", "async", "dirsync", "mand", "nomand"};

const struct {
    const char* name;
    uint64_t type;
} kPropagations[] = {  // MS_*: <sys/mount.h> clashes here
    {"private", 1 << 18},    {"rprivate", 1 << 18},    {"slave", 1 << 19},  {"rslave", 1 << 19},
    {"unbindable", 1 << 17}, {"runbindable", 1 << 17}, {"shared", 1 << 20}, {"rshared", 1 << 20}};

bool is_number(const std::string& text) {
    return !text.empty() && text.size() < 20 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// With a unit of the kernel's at its end: `1k`, `5M`.
bool is_amount(const std::string& text, const std::string& units) {
    const bool has_unit = text.size() > 1 && units.find(text.back()) != std::string::npos;
    return is_number(has_unit ? text.substr(0, text.size() - 1) : text);
}

/// `local`, `bind:0-3`; the kernel knows which there are.
bool is_policy(const std::string& text) {
    return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789:=-") == std::string::npos;
}

bool is_key(const std::string& text) {
    constexpr const char* keys[] = {"uid", "gid", "nr_inodes", "nr_blocks", "size", "mpol"};
    return std::find(std::begin(keys), std::end(keys), text) != std::end(keys);
}

bool is_value(const std::string& key, const std::string& value) {
    if (key == "uid" || key == "gid") return is_number(value);
    if (key == "nr_inodes" || key == "nr_blocks") return is_amount(value, "kKmMgGtTpPeE");
    if (key == "size") return is_amount(value, "%");
    return key == "mpol" && is_policy(value);
}

template <typename List>
auto find_named(const List& list, const std::string& name) {
    return std::find_if(std::begin(list), std::end(list), [&](const auto& entry) { return name == entry.name; });
}

void add_option(const std::string& option, TmpfsOptions& result) {
    if (auto flag = find_named(kFlags, option); flag != std::end(kFlags)) {
        result.attributes = (result.attributes & ~flag->clear) | flag->set;
        return;
    }
    if (auto way = find_named(kPropagations, option); way != std::end(kPropagations)) {
        result.propagation = way->type;
        return;
    }
    if (std::find(std::begin(kSuperblockFlags), std::end(kSuperblockFlags), option) != std::end(kSuperblockFlags)) {
        result.values.emplace_back(option, "");
        return;
    }
    const size_t equals = option.find('=');
    const std::string key = option.substr(0, equals);
    const std::string value = equals == std::string::npos ? std::string() : option.substr(equals + 1);
    if (!is_value(key, value))
        throw Error(Code::invalid_argument, "invalid tmpfs option \"" + (is_key(key) ? option : key) + "\"");
    result.values.emplace_back(key, value);
}

}  // namespace

TmpfsOptions tmpfs_options(const Mount& mount) {
    TmpfsOptions result;
    result.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;
    if (mount.tmpfs_mode) {
        char mode[16];
        std::snprintf(mode, sizeof mode, "%o", *mount.tmpfs_mode & 07777);
        result.values.emplace_back("mode", mode);
    }
    if (mount.tmpfs_size > 0) result.values.emplace_back("size", std::to_string(mount.tmpfs_size));
    for (const std::string& option : mount.tmpfs_options) add_option(option, result);
    if (mount.read_only) result.attributes |= MOUNT_ATTR_RDONLY;
    return result;
}

}  // namespace kedge::runtime
