#include "sources/compose_mounts.h"

#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

bool is_path(std::string_view source) {
    return source.starts_with('/') || source.starts_with('.') || source.starts_with('~');
}

bool is_propagation(std::string_view text) {
    for (std::string_view name : {"shared", "rshared", "slave", "rslave", "private", "rprivate"}) {
        if (text == name) return true;
    }
    return false;
}

/// Where containers wrote before may be links of theirs; a mount must not follow them.
void check_data_folder(const Loading& loading, const Node& node, const std::string& relative) {
    try {
        (void)ConfinedRoot(AT_FDCWD, loading.input.data_folder).open_strictly(relative, O_PATH);
    } catch (const Error& e) {
        if (e.code() != Code::not_found)
            fail(node, fmt::format("\"{}\" in the data folder can't be mounted: {}", relative, e.what()));
    }
}

void resolve_bind(const Loading& loading, const Node& node, VolumeMount& mount) {
    if (mount.source.empty()) fail(node, "a bind mount needs a source");
    check_path(node, mount.source);
    bool host_path = mount.source.starts_with('/') || mount.source.starts_with('~');
    std::string path =
        host_path ? resolve_file(loading, node, mount.source) : resolve_path(loading.files.directory(), mount.source);
    if (host_path || !loading.files.confined() || loading.inactive) {
        mount.source = path;
        return;
    }
    try {
        if (auto found = loading.files.find(path)) {
            mount.source = found->path;
            mount.content_digest = found->digest;
            mount.create_host_path = false;
            mount.read_only = true;  // the tree is what the commit says, for all who mount it and for the agent
            return;
        }
    } catch (const Error& e) {
        fail(node, e.what());
    }
    mount.source = path;
    if (loading.input.data_folder.empty()) return;
    if (!is_inside(path, loading.files.directory())) fail(node, fmt::format("{} is not in the repository", path));
    std::string relative = path.substr(std::min(path.size(), loading.files.directory().size() + 1));
    check_data_folder(loading, node, relative);
    mount.source = resolve_path(loading.input.data_folder, relative);
    mount.create_host_path = true;
}

void read_short_options(const Node& node, const std::string& options, VolumeMount& mount) {
    for (size_t start = 0; start <= options.size();) {
        size_t end = std::min(options.find(',', start), options.size());
        std::string option = options.substr(start, end - start);
        start = end + 1;
        if (option == "ro")
            mount.read_only = true;
        else if (option == "nocopy")
            mount.no_copy = true;
        else if (is_propagation(option))
            mount.propagation = option;
        // Labels of SELinux and consistency modes mean nothing on the systems that kedge runs on, as with Docker there.
        else if (option != "rw" && option != "z" && option != "Z" && option != "cached" && option != "delegated" &&
                 option != "consistent") {
            fail(node, fmt::format("\"{}\" is not a mount option", option));
        }
    }
}

VolumeMount read_short(const Loading& loading, const Node& node) {
    const std::string& text = node.text;
    VolumeMount mount;
    mount.type = "volume";
    size_t first = text.find(':');
    if (first == std::string::npos) {
        mount.target = text;
        return mount;
    }
    if (first == 1 && text.substr(2, 1) == "\\")
        fail(node, fmt::format("\"{}\": paths of Windows are not supported", text));
    mount.source = text.substr(0, first);
    mount.target = short_mount_target(text);
    size_t second = text.find(':', first + 1);
    if (second != std::string::npos) read_short_options(node, text.substr(second + 1), mount);
    if (mount.source.empty() || mount.target.empty())
        fail(node, fmt::format("\"{}\" is not a mount", text), "write it as source:target or source:target:ro");
    if (is_path(mount.source)) {
        mount.type = "bind";
        mount.create_host_path = true;
        resolve_bind(loading, node, mount);
    }
    return mount;
}

void read_options(const Node& node, VolumeMount& mount) {
    auto only_for = [&](const char* type, const Node& options) {
        if (mount.type != type) fail(options, fmt::format("a mount of type {} takes no {} options", mount.type, type));
    };
    with(node, "bind", [&](const Node& bind) {
        only_for("bind", bind);
        check_keys(bind, keys::mount_bind);
        with(bind, "create_host_path", [&](const Node& value) { mount.create_host_path = read_bool(value); });
        with(bind, "selinux", [](const Node& value) { read_one_of(value, {"z", "Z"}); });
        with(bind, "propagation", [&](const Node& value) {
            mount.propagation = read_string(value);
            if (!is_propagation(mount.propagation))
                fail(value, fmt::format("\"{}\" is not a propagation", mount.propagation));
        });
    });
    with(node, "volume", [&](const Node& volume) {
        only_for("volume", volume);
        check_keys(volume, keys::mount_volume);
        with(volume, "nocopy", [&](const Node& value) { mount.no_copy = read_bool(value); });
    });
    with(node, "tmpfs", [&](const Node& tmpfs) {
        only_for("tmpfs", tmpfs);
        check_keys(tmpfs, keys::mount_tmpfs);
        with(tmpfs, "size", [&](const Node& value) { mount.tmpfs_size = read_size(value); });
        with(tmpfs, "mode", [&](const Node& value) {
            mount.tmpfs_mode = read_mode(value);
            if (mount.tmpfs_mode == VolumeMount().tmpfs_mode) mount.tmpfs_mode_given = true;
        });
    });
}

VolumeMount read_long(const Loading& loading, const Node& node) {
    check_keys(node, keys::mount);
    VolumeMount mount;
    const Node* type = node.find("type");
    if (!type) fail(node, "type is missing");
    mount.type = read_string(*type);
    if (mount.type == "npipe" || mount.type == "cluster" || mount.type == "image") {
        fail(*type, fmt::format("mounts of type {} are not supported yet", mount.type));
    }
    read_one_of(*type, {"volume", "bind", "tmpfs"});
    with(node, "target", [&](const Node& value) { mount.target = read_string(value); });
    with(node, "read_only", [&](const Node& value) { mount.read_only = read_bool(value); });
    with(node, "consistency", [](const Node& value) { read_string(value); });
    mount.create_host_path = mount.type == "bind";
    read_options(node, mount);
    const Node* source = node.find("source");
    if (source && mount.type == "tmpfs") fail(*source, "a tmpfs mount has no source");
    if (source) mount.source = read_string(*source);
    if (mount.type == "bind") {
        if (!mount.source.empty() && !is_path(mount.source)) mount.source.insert(0, "./");
        resolve_bind(loading, source ? *source : node, mount);
    }
    return mount;
}

}  // namespace

std::string short_mount_target(const std::string& text) {
    size_t first = text.find(':');
    if (first == std::string::npos) return text;
    return text.substr(first + 1, text.find(':', first + 1) - first - 1);
}

std::string clean_target(const std::string& path, const std::string& folder) {
    return path.empty() || path.size() > kPathLimit ? path : resolve_path(folder, path);
}

std::string read_target(const Node& node, const std::string& text) {
    if (!text.starts_with('/')) fail(node, fmt::format("invalid mount path: \"{}\" mount path must be absolute", text));
    check_path(node, text);
    std::string target = clean_target(text);
    if (target == "/") fail(node, "the mount path can't be \"/\"");
    return target;
}

VolumeMount read_mount(const Loading& loading, const Node& node) {
    if (!node.is_map() && !node.is_string()) fail(node, "must be a string or mapping");
    VolumeMount mount = node.is_map() ? read_long(loading, node) : read_short(loading, node);
    mount.target = read_target(node, mount.target);
    return mount;
}

}  // namespace kedge::sources
