#include "base/digest.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

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
            if (!key.starts_with("x-")) read(key, value);
        }
    });
}

/// `external: true`, or the old `external: {name: x}`.
bool read_external(const Node& node, std::string& name) {
    bool external = false;
    with(node, "external", [&](const Node& value) {
        external = !value.is_map() && read_bool(value);
        if (!value.is_map()) return;
        external = true;
        check_keys(value, KeyTable{{"name"}, {}});
        with(value, "name", [&](const Node& given) { name = read_string(given); });
    });
    with(node, "name", [&](const Node& value) {
        name = read_string(value);
        if (name.empty()) fail(value, "must not be empty");
    });
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

std::string read_subnet(const Node& node) {
    std::string text = read_string(node);
    size_t slash = text.find('/');
    int bits = -1;
    if (slash != std::string::npos) {
        auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
        if (error != std::errc() || end != text.data() + text.size()) bits = -1;
    }
    if (text.find(':') != std::string::npos) fail(node, fmt::format("the IPv6 subnet \"{}\" is not supported yet", text));
    if (bits < 0 || bits > 32 || !is_ipv4(text.substr(0, slash))) fail(node, fmt::format("\"{}\" is not a subnet", text), "write it as 172.28.0.0/16");
    return text;
}

void read_ipam(const Node& node, Network& network) {
    check_keys(node, keys::ipam);
    with(node, "driver", [](const Node& value) { read_one_of(value, {"default"}); });
    with(node, "config", [&](const Node& configs) {
        if (!configs.is_sequence()) fail(configs, "must be a list");
        if (configs.items.size() > 1) fail(configs.items[1], "more than one subnet is not supported yet");
        for (const Node& config : configs.items) {
            check_keys(config, keys::ipam_config);
            with(config, "subnet", [&](const Node& value) { network.subnet = read_subnet(value); });
            with(config, "gateway", [&](const Node& value) {
                network.gateway = read_string(value);
                if (!is_ipv4(network.gateway)) fail(value, fmt::format("\"{}\" is not an IPv4 address", network.gateway));
                if (network.subnet.empty()) fail(value, "needs a subnet");
            });
        }
    });
}

Network read_network(const std::string& key, const Node& node, const Project& project) {
    Network network;
    network.key = key;
    network.name = project.name + "_" + key;
    if (node.is_null()) return network;
    check_keys(node, keys::network);
    std::string name;
    network.external = read_external(node, name);
    if (network.external) {
        check_external(node, "network");
        network.name = name.empty() ? key : name;
        return network;
    }
    if (!name.empty()) network.name = name;
    with(node, "internal", [&](const Node& value) { network.internal = read_bool(value); });
    with(node, "driver", [&](const Node& value) {
        network.driver = read_string(value);
        if (network.driver != "bridge" && network.driver != "default" && !network.driver.empty()) {
            fail(value, fmt::format("the network driver \"{}\" is not supported yet", network.driver));
        }
        network.driver = "bridge";
    });
    with(node, "driver_opts", [&](const Node& value) { network.driver_opts = read_map(value); });
    with(node, "labels", [&](const Node& value) { network.labels = read_map(value); });
    with(node, "ipam", [&](const Node& value) { read_ipam(value, network); });
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
    with(node, "driver", [&](const Node& value) { volume.driver = read_string(value); });
    with(node, "driver_opts", [&](const Node& value) { volume.driver_opts = read_map(value); });
    with(node, "labels", [&](const Node& value) { volume.labels = read_map(value); });
    return volume;
}

FileSource read_file_source(Loading& loading, const std::string& key, const Node& node) {
    FileSource source;
    source.key = key;
    with(node, "external", [](const Node& value) {
        if (value.is_map() || read_bool(value)) fail(value, "is not supported yet");
    });
    with(node, "name", [](const Node& value) { read_string(value); });
    int given = 0;
    with(node, "file", [&](const Node& value) {
        ++given;
        std::string path = read_string(value);
        std::string content = read_project_file(loading, value, path);
        source.path = resolve_file(loading, value, path);
        // The name that is mounted must not lead out of the tree over a link.
        if (loading.files.confined()) source.path = loading.files.find(source.path)->path;
        source.content_digest = Digest::of(content).str();
    });
    with(node, "environment", [&](const Node& value) {
        ++given;
        auto found = loading.variables.find(read_string(value));
        if (found == loading.variables.end()) fail(value, fmt::format("environment variable \"{}\" is not set", value.text));
        source.content = found->second;
        spend(loading, value, source.content.size());
        source.content_digest = Digest::of(source.content).str();
    });
    with(node, "content", [&](const Node& value) {
        ++given;
        source.content = read_string(value);
        source.content_digest = Digest::of(source.content).str();
    });
    if (given != 1) fail(node, given == 0 ? "has no source: give it a file or environment" : "has more than one source");
    return source;
}

}  // namespace

void read_networks(const Node& file, Project& project) {
    each(file, "networks", [&](const std::string& key, const Node& node) { project.networks[key] = read_network(key, node, project); });
    if (!project.networks.contains("default")) {
        Network& network = project.networks["default"];
        network.key = "default";
        network.name = project.name + "_default";
    }
}

void read_volumes(const Node& file, Project& project) {
    each(file, "volumes", [&](const std::string& key, const Node& node) { project.volumes[key] = read_volume(key, node, project); });
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
        if (used(&Service::secrets, key)) project.secrets[key] = read_file_source(loading, key, node);
    });
    each(file, "configs", [&](const std::string& key, const Node& node) {
        check_keys(node, keys::config);
        if (used(&Service::configs, key)) project.configs[key] = read_file_source(loading, key, node);
    });
}

}  // namespace kedge::sources
