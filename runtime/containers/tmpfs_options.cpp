#include "runtime/containers/tmpfs_options.h"

#include "base/error.h"

#include <linux/mount.h>

#include <algorithm>
#include <cstdio>

namespace kedge::runtime {

namespace {

const struct {
    const char* name;
    uint64_t attribute;
    bool set;
} kFlags[] = {{"noexec", MOUNT_ATTR_NOEXEC, true},   {"exec", MOUNT_ATTR_NOEXEC, false},
              {"nosuid", MOUNT_ATTR_NOSUID, true},   {"suid", MOUNT_ATTR_NOSUID, false},
              {"nodev", MOUNT_ATTR_NODEV, true},     {"dev", MOUNT_ATTR_NODEV, false},
              {"ro", MOUNT_ATTR_RDONLY, true},       {"rw", MOUNT_ATTR_RDONLY, false},
              {"noatime", MOUNT_ATTR_NOATIME, true}, {"nodiratime", MOUNT_ATTR_NODIRATIME, true}};
constexpr const char* kNumbers[] = {"uid", "gid", "nr_inodes", "nr_blocks"};

bool is_number(const std::string& text) {
    return !text.empty() && text.size() < 20 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
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
    for (const std::string& option : mount.tmpfs_options) {
        auto flag = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const auto& f) { return option == f.name; });
        if (flag != std::end(kFlags)) {
            result.attributes = flag->set ? result.attributes | flag->attribute : result.attributes & ~flag->attribute;
            continue;
        }
        const size_t equals = option.find('=');
        const std::string key = option.substr(0, equals);
        const std::string value = equals == std::string::npos ? std::string() : option.substr(equals + 1);
        const bool known = std::find(std::begin(kNumbers), std::end(kNumbers), key) != std::end(kNumbers);
        if (!known || !is_number(value))
            throw Error(Code::invalid_argument, "tmpfs " + mount.target + ": invalid option \"" + option + "\"");
        result.values.emplace_back(key, value);
    }
    if (mount.read_only) result.attributes |= MOUNT_ATTR_RDONLY;
    return result;
}

}  // namespace kedge::runtime
