#include "api/docker_json.h"
#include "api/json_body.h"
#include "base/error.h"
#include "base/size.h"
#include "base/text.h"
#include "runtime/container_spec.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace kedge::api {

using runtime::ContainerSpec;
using runtime::Mount;

namespace {

Error invalid(const std::string& message) {
    return Error(Code::invalid_argument, message);
}

void read_bind_options(const Fields& options, Mount& mount) {
    mount.propagation = options.text("Propagation");
    mount.create_host_path = options.flag("CreateMountpoint");
    mount.non_recursive = options.flag("NonRecursive");
    mount.read_only_top = options.flag("ReadOnlyNonRecursive");
    // Read-only trees always are so down to their leaves here, or the start fails.
    const bool whole = options.flag("ReadOnlyForceRecursive");
    if (whole && (mount.read_only_top || mount.non_recursive || !mount.read_only)) {
        throw invalid(options.path_of("ReadOnlyForceRecursive") +
                      ": goes with ReadOnly, and neither with ReadOnlyNonRecursive nor with NonRecursive");
    }
    options.refuse_others(
        {"Propagation", "CreateMountpoint", "NonRecursive", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"});
}

void read_volume_options(const Fields& options, Mount& mount) {
    mount.no_copy = options.flag("NoCopy");
    mount.subpath = options.text("Subpath");
    mount.volume_labels = options.text_map("Labels");
    Fields driver = options.object("DriverConfig");
    if (const std::string name = driver.text("Name"); !name.empty() && name != "local")
        throw Error(Code::not_found, "create " + mount.source + ": error looking up volume plugin " + name +
                                         ": plugin \"" + name + "\" not found");
    mount.volume_options = driver.text_map("Options");
    driver.refuse_others({"Name", "Options"});
    options.refuse_others({"NoCopy", "Subpath", "Labels", "DriverConfig"});
}

/// Options is a list of lists: `["exec"]`, `["uid", "1000"]`.
void read_tmpfs_options(const Fields& options, Mount& mount) {
    mount.tmpfs_size = options.number("SizeBytes");
    int64_t mode = options.number("Mode");
    if (mode < 0 || mode > 07777) throw invalid(options.path_of("Mode") + ": must be at most 07777");
    if (mode > 0) mount.tmpfs_mode = static_cast<uint32_t>(mode);
    options.refuse_others({"SizeBytes", "Mode", "Options"});
    const nlohmann::json* list = options.find("Options");
    if (!list) return;
    const Error wrong = invalid(options.path_of("Options") + ": must be a list of lists of one or two strings");
    if (!list->is_array()) throw wrong;
    for (const nlohmann::json& option : *list) {
        const bool shaped = option.is_array() && !option.empty() && option.size() <= 2 && option[0].is_string() &&
                            option.back().is_string();
        if (!shaped) throw wrong;
        std::string text = option[0].get<std::string>();
        if (option.size() == 2) text += "=" + option[1].get<std::string>();
        mount.tmpfs_options.push_back(std::move(text));
    }
}

/// What follows the second colon of -v. Of every kind there may be one word.
void read_bind_mode(const std::string& mode, Mount& mount) {
    // SELinux labels, and hints for machines that reach the files over a network: nothing to do here.
    static const std::set<std::string> kinds[] = {{"ro", "rw"},
                                                  {"z", "Z"},
                                                  {"nocopy"},
                                                  {"consistent", "cached", "delegated"},
                                                  {"private", "rprivate", "shared", "rshared", "slave", "rslave"}};
    std::set<const void*> seen;
    for (const std::string& option : split(mode, ',')) {
        const auto* kind = std::find_if(std::begin(kinds), std::end(kinds),
                                        [&](const std::set<std::string>& words) { return words.contains(option); });
        if (kind == std::end(kinds) || !seen.insert(kind).second) throw invalid("invalid mode: " + mode);
        if (option == "ro") mount.read_only = true;
        if (option == "nocopy") mount.no_copy = true;
        if (kind->contains("rprivate")) mount.propagation = option;
    }
}

Error invalid_volume(const std::string& text, const std::string& reason = {}) {
    return invalid("invalid volume specification: '" + text + "'" + (reason.empty() ? "" : ": " + reason));
}

}  // namespace

void read_tmpfs(const std::string& target, const std::string& options, ContainerSpec& spec) {
    Mount mount;
    mount.type = Mount::Type::tmpfs;
    mount.target = target;
    for (const std::string& option : split(options, ',')) {
        if (option.starts_with("size=")) {
            std::erase_if(mount.tmpfs_options, [](const std::string& o) { return o.starts_with("size="); });
            mount.tmpfs_size = 0;
            if (option.ends_with("%")) {
                mount.tmpfs_options.push_back(option);  // of the memory, which the kernel knows
                continue;
            }
            std::optional<int64_t> size = parse_size(std::string_view(option).substr(5));
            if (!size) throw invalid("HostConfig.Tmpfs." + target + ": \"" + option.substr(5) + "\" is not a size");
            mount.tmpfs_size = *size;
        } else if (option.starts_with("mode=")) {
            auto [end, failure] =
                std::from_chars(option.data() + 5, option.data() + option.size(), mount.tmpfs_mode.emplace(), 8);
            if (failure != std::errc() || end != option.data() + option.size()) {
                throw invalid("HostConfig.Tmpfs." + target + ": \"" + option + "\" is not an octal mode");
            }
        } else if (option == "ro" || option == "rw") {
            mount.read_only = option == "ro";
        } else if (!option.empty()) {
            mount.tmpfs_options.push_back(option);  // looked at by the engine, in this order
        }
    }
    spec.mounts.push_back(mount);
}

void read_mount(const Fields& from, ContainerSpec& spec) {
    Mount mount;
    const std::string type = from.text("Type");
    if (type == "bind")
        mount.type = Mount::Type::bind;
    else if (type == "volume")
        mount.type = Mount::Type::volume;
    else if (type == "tmpfs")
        mount.type = Mount::Type::tmpfs;
    else if (type == "image")
        mount.type = Mount::Type::image;
    else
        throw invalid(from.path_of("Type") + ": \"" + type + "\" must be bind, volume, tmpfs or image");
    mount.source = from.text("Source");
    mount.target = from.text("Target");
    mount.read_only = from.flag("ReadOnly");
    const std::pair<const char*, Mount::Type> kinds[] = {{"BindOptions", Mount::Type::bind},
                                                         {"VolumeOptions", Mount::Type::volume},
                                                         {"TmpfsOptions", Mount::Type::tmpfs},
                                                         {"ImageOptions", Mount::Type::image}};
    for (const auto& [key, of] : kinds) {
        if (from.has(key) && mount.type != of)
            throw invalid(std::string(key) + " must not be specified on mount type \"" + type + "\"");
    }
    if (mount.type == Mount::Type::bind) read_bind_options(from.object("BindOptions"), mount);
    if (mount.type == Mount::Type::volume) read_volume_options(from.object("VolumeOptions"), mount);
    if (mount.type == Mount::Type::tmpfs) read_tmpfs_options(from.object("TmpfsOptions"), mount);
    if (mount.type == Mount::Type::image) {
        const Fields options = from.object("ImageOptions");
        mount.subpath = options.text("Subpath");
        options.refuse_others({"Subpath"});
    }
    from.refuse_others({"Type", "Source", "Target", "ReadOnly", "BindOptions", "VolumeOptions", "TmpfsOptions",
                        "ImageOptions", "Consistency"});
    spec.mounts.push_back(mount);
}

void read_bind(const std::string& text, ContainerSpec& spec) {
    std::vector<std::string> parts = split(text, ':');
    if (parts.size() > 3 || std::find(parts.begin(), parts.end(), "") != parts.end()) throw invalid_volume(text);
    Mount mount;
    mount.target = parts.size() == 1 ? parts[0] : parts[1];
    if (parts.size() > 1) mount.source = parts[0];  // else the volume has no name
    mount.type = mount.source.starts_with("/") ? Mount::Type::bind : Mount::Type::volume;
    mount.create_host_path = mount.type == Mount::Type::bind;
    if (parts.size() == 3) read_bind_mode(parts[2], mount);
    if (mount.type == Mount::Type::bind && mount.no_copy)
        throw invalid_volume(text,
                             R"(invalid mount config for type "bind": field VolumeOptions must not be specified)");
    if (mount.type == Mount::Type::volume && !mount.propagation.empty())
        throw invalid_volume(text,
                             R"(invalid mount config for type "volume": field BindOptions must not be specified)");
    spec.mounts.push_back(mount);
}

}  // namespace kedge::api
