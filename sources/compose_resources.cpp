#include "base/digest.h"
#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

// The top-level networks, volumes, secrets and configs.

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

/// Calls `read` for each entry of a top-level section.
template <typename Read>
void each(const Node& file, std::string_view section, Read&& read) {
    with(file, section, [&](const Node& all) {
        if (!all.is_map()) fail(all, "must be a mapping");
        for (const auto& [key, value] : all.entries) {
            if (!is_entry_name(key)) fail(value, "a name consists of letters, digits, dots, hyphens and underscores");
            read(key, value);
        }
    });
}

/// What Docker takes for a name.
std::string read_name(const Node& node) {
    auto alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    std::string name = read_string(node);
    bool good = name.size() >= 2 && name.size() <= 255 && alphanumeric(name[0]) &&
                std::all_of(name.begin(), name.end(),
                            [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
    if (!good) fail(node, fmt::format("invalid name \"{}\", only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name));
    return name;
}

/// `external: true`, or the old `external: {name: x}`.
bool read_external(const Node& node, std::string& name) {
    bool external = false;
    with(node, "external", [&](const Node& value) {
        external = !value.is_map() && read_bool(value);
        if (!value.is_map()) return;
        external = true;
        check_keys(value, KeyTable{{"name"}, {}});
        with(value, "name", [&](const Node& given) { name = read_name(given); });
    });
    with(node, "name", [&](const Node& value) { name = read_name(value); });
    return external;
}

/// An external one is somebody else's: nothing but its name can be said about it.
void check_external(const Node& node, const char* what) {
    for (const auto& [key, value] : node.entries) {
        if (key != "external" && key != "name" && !key.starts_with("x-")) {
            fail(value, fmt::format("conflicting parameters \"external\" and \"{}\" specified for {}", key, what));
        }
    }
}

Network read_network(const std::string& key, const Node& node, const Project& project) {
    Network network;
    network.key = key;
    network.name = project.name + "_" + key;
    if (node.is_null()) return network;
    check_keys(node, keys::network);
    std::string name;
    network.external = read_external(node, name);
    if (network.external) check_external(node, "network");
    if (network.external && name.empty()) network.name = key;
    if (!name.empty()) network.name = name;
    if (network.name == "host" || network.name == "none") {
        fail(node, fmt::format("the network {} is not supported yet here", network.name),
             fmt::format("give services network_mode: {}", network.name));
    }
    if (network.external) return network;
    read_network_settings(node, network);
    return network;
}

Volume read_volume(const std::string& key, const Node& node, const Project& project) {
    Volume volume;
    volume.key = key;
    volume.name = project.name + "_" + key;
    if (node.is_null()) return volume;
    check_keys(node, keys::volume);
    std::string name;
    volume.external = read_external(node, name);
    if (volume.external) {
        check_external(node, "volume");
        volume.name = name.empty() ? key : name;
        return volume;
    }
    if (!name.empty()) volume.name = name;
    with(node, "driver", [&](const Node& value) {
        volume.driver = read_string(value);
        if (volume.driver != "local" && volume.driver != "default" && !volume.driver.empty()) {
            fail(value, fmt::format("the volume driver \"{}\" is not supported yet", volume.driver));
        }
        volume.driver = "local";
    });
    with(node, "driver_opts", [&](const Node& value) {
        volume.driver_opts = read_map(value);
        for (const auto& entry : value.entries) {
            if (entry.key != "type" && entry.key != "o" && entry.key != "device")
                fail(entry.value, "is no option of the local driver (type, device, o)");
        }
    });
    with(node, "labels", [&](const Node& value) { volume.labels = read_map(value); });
    return volume;
}

/// The file's bytes count only where a service uses it: elsewhere it need not be there.
void read_file(Loading& loading, const Node& node, bool used, FileSource& source) {
    std::string path = read_string(node);
    source.path = resolve_file(loading, node, path);
    if (!used) return;
    source.content_digest = Digest::of(read_project_file(loading, node, path)).str();
    if (!loading.files.confined()) return;
    // The name that is mounted must not lead out of the tree over a link.
    std::optional<ProjectFiles::Found> found;
    try {
        found = loading.files.find(source.path);
    } catch (const Error& e) {
        fail(node, e.what());
    }
    if (!found) fail(node, fmt::format("{} not found", loading.files.shown(source.path)));
    source.path = found->path;
}

FileSource read_file_source(Loading& loading, const std::string& key, const Node& node, bool used) {
    FileSource source;
    source.key = key;
    with(node, "external", [](const Node& value) {
        if (value.is_map() || read_bool(value)) fail(value, "is not supported yet");
    });
    with(node, "name", [](const Node& value) { read_string(value); });
    int given = 0;
    with(node, "file", [&](const Node& value) {
        ++given;
        read_file(loading, value, used, source);
    });
    with(node, "environment", [&](const Node& value) {
        ++given;
        std::string name = read_string(value);
        const std::string* found = value.tag == kResolved ? &value.text : find_variable(loading, value, name);
        if (!used) return;
        if (!found) fail(value, fmt::format("environment variable \"{}\" is not set", name));
        source.content = *found;
        spend(loading, value, source.content.size());
        source.content_digest = Digest::of(source.content).str();
    });
    with(node, "content", [&](const Node& value) {
        ++given;
        source.content = read_string(value);
        source.content_digest = Digest::of(source.content).str();
    });
    if (given != 1)
        fail(node, given == 0 ? "has no source: give it a file or environment" : "has more than one source");
    return source;
}

}  // namespace

void read_networks(const Node& file, Project& project) {
    each(file, "networks",
         [&](const std::string& key, const Node& node) { project.networks[key] = read_network(key, node, project); });
    if (!project.networks.contains("default")) {
        Network& network = project.networks["default"];
        network.key = "default";
        network.name = project.name + "_default";
    }
}

void read_volumes(const Node& file, Project& project) {
    each(file, "volumes",
         [&](const std::string& key, const Node& node) { project.volumes[key] = read_volume(key, node, project); });
}

void read_file_sources(Loading& loading, const Node& file, Project& project) {
    // Only what a running service uses must be there.
    auto used = [&](std::vector<FileUse> Service::*list, const std::string& key) {
        return std::any_of(project.services.begin(), project.services.end(), [&](const auto& entry) {
            const std::vector<FileUse>& uses = entry.second.*list;
            return std::any_of(uses.begin(), uses.end(), [&](const FileUse& use) { return use.source == key; });
        });
    };
    each(file, "secrets", [&](const std::string& key, const Node& node) {
        check_keys(node, keys::secret);
        FileSource source = read_file_source(loading, key, node, used(&Service::secrets, key));
        project.secrets[key] = std::move(source);
    });
    each(file, "configs", [&](const std::string& key, const Node& node) {
        check_keys(node, keys::config);
        FileSource source = read_file_source(loading, key, node, used(&Service::configs, key));
        project.configs[key] = std::move(source);
    });
}

}  // namespace kedge::sources
