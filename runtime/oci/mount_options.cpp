#include "runtime/oci/mount_options.h"

#include "base/text.h"

#include <linux/mount.h>

#include <algorithm>
#include <map>
#include <optional>

namespace kedge::oci {

namespace {

// MS_*: <sys/mount.h> clashes with <linux/mount.h>.
constexpr uint64_t kUnbindable = 1 << 17, kPrivate = 1 << 18, kSlave = 1 << 19, kShared = 1 << 20;
constexpr uint64_t kNoSymlinks = 0x200000;  // MOUNT_ATTR_NOSYMFOLLOW

struct Attribute {
    uint64_t set, clear;
};

/// Those with an `r` in front are the same for the whole tree.
const std::map<std::string, Attribute>& attributes() {
    static const std::map<std::string, Attribute> all = {
        {"ro", {MOUNT_ATTR_RDONLY, 0}},
        {"rw", {0, MOUNT_ATTR_RDONLY}},
        {"nosuid", {MOUNT_ATTR_NOSUID, 0}},
        {"suid", {0, MOUNT_ATTR_NOSUID}},
        {"nodev", {MOUNT_ATTR_NODEV, 0}},
        {"dev", {0, MOUNT_ATTR_NODEV}},
        {"noexec", {MOUNT_ATTR_NOEXEC, 0}},
        {"exec", {0, MOUNT_ATTR_NOEXEC}},
        {"nodiratime", {MOUNT_ATTR_NODIRATIME, 0}},
        {"diratime", {0, MOUNT_ATTR_NODIRATIME}},
        {"nosymfollow", {kNoSymlinks, 0}},
        {"symfollow", {0, kNoSymlinks}},
        // Access times are one field of three values; 0 is relatime, the kernel's own choice.
        {"noatime", {MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME}},
        {"strictatime", {MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME}},
        {"relatime", {0, MOUNT_ATTR__ATIME}},
        {"atime", {0, MOUNT_ATTR__ATIME}},
        {"nostrictatime", {0, MOUNT_ATTR__ATIME}},
        {"norelatime", {0, MOUNT_ATTR__ATIME}},
    };
    return all;
}

struct Propagation {
    uint64_t flag;
    bool deep;
};

const std::map<std::string, Propagation>& propagations() {
    static const std::map<std::string, Propagation> all = {
        {"private", {kPrivate, false}},       {"rprivate", {kPrivate, true}},       {"slave", {kSlave, false}},
        {"rslave", {kSlave, true}},           {"shared", {kShared, false}},         {"rshared", {kShared, true}},
        {"unbindable", {kUnbindable, false}}, {"runbindable", {kUnbindable, true}},
    };
    return all;
}

/// Flags of the file system itself. An empty text: it says what is so in any case, or only what the kernel logs.
const std::map<std::string, std::string>& superblock_flags() {
    static const std::map<std::string, std::string> all = {{"sync", "sync"},
                                                           {"async", "async"},
                                                           {"dirsync", "dirsync"},
                                                           {"lazytime", "lazytime"},
                                                           {"nolazytime", "nolazytime"},
                                                           {"mand", "mand"},
                                                           {"nomand", "nomand"},
                                                           {"iversion", ""},
                                                           {"noiversion", ""},
                                                           {"silent", ""},
                                                           {"loud", ""},
                                                           {"defaults", ""}};
    return all;
}

bool take_word(const std::string& option, MountOptions& options) {
    const std::pair<const char*, bool MountOptions::*> words[] = {
        {"bind", &MountOptions::bind},       {"remount", &MountOptions::remount},
        {"idmap", &MountOptions::id_mapped}, {"ridmap", &MountOptions::id_mapped},
        {"rbind", &MountOptions::bind},      {"tmpcopyup", &MountOptions::copy_up}};
    for (const auto& [name, member] : words) {
        if (option != name) continue;
        options.*member = true;
        options.recursive = options.recursive || option == "rbind";
        options.id_mapped_deep = options.id_mapped_deep || option == "ridmap";
        return true;
    }
    return false;
}

void change(uint64_t& set, uint64_t& clear, const Attribute& attribute) {
    // The last one counts, as for mount(8).
    set = (set & ~attribute.clear) | attribute.set;
    clear = (clear & ~attribute.set) | attribute.clear;
}

bool take_attribute(const std::string& option, MountOptions& options) {
    if (auto found = attributes().find(option); found != attributes().end()) {
        change(options.set, options.clear, found->second);
        return true;
    }
    auto found = option.starts_with('r') ? attributes().find(option.substr(1)) : attributes().end();
    if (found == attributes().end()) return false;
    change(options.deep_set, options.deep_clear, found->second);
    return true;
}

void take(const std::string& option, MountOptions& options) {
    if (option.empty() || take_word(option, options) || take_attribute(option, options)) return;
    if (auto found = propagations().find(option); found != propagations().end()) {
        options.propagation = found->second.flag;
        options.propagation_deep = found->second.deep;
    } else if (auto flag = superblock_flags().find(option); flag != superblock_flags().end()) {
        if (!flag->second.empty()) options.superblock.push_back(flag->second);
    } else {
        size_t equals = option.find('=');
        options.data.emplace_back(option.substr(0, equals),
                                  equals == std::string::npos ? std::string() : option.substr(equals + 1));
    }
}

}  // namespace

MountOptions parse_mount_options(const std::vector<std::string>& list) {
    MountOptions options;
    for (const std::string& entry : list) {
        if (entry.find('"') == std::string::npos)
            for (const std::string& option : split(entry, ',')) take(option, options);
        else
            take(entry, options);
    }
    return options;
}

std::vector<std::string> mount_option_names() {
    std::vector<std::string> names = {"bind", "rbind", "remount", "idmap", "ridmap", "tmpcopyup"};
    for (const auto& [name, attribute] : attributes()) {
        names.push_back(name);
        names.push_back("r" + name);
    }
    for (const auto& [name, flag] : propagations()) names.push_back(name);
    for (const auto& [name, flag] : superblock_flags()) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<shim::MountChange> mount_changes(const MountOptions& options) {
    std::vector<shim::MountChange> changes;
    if (options.deep_set || options.deep_clear) changes.push_back({options.deep_set, options.deep_clear, 0, 1, 0});
    if (options.set || options.clear) changes.push_back({options.set, options.clear, 0, 0, 0});
    if (options.propagation) changes.push_back({0, 0, options.propagation, options.propagation_deep ? 1u : 0u, 0});
    return changes;
}

}  // namespace kedge::oci
