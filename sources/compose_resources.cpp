#include "base/digest.h"
#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
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

std::string read_subnet6(const Node& node, const std::string& text) {
    const size_t slash = text.find('/');
    int bits = -1;
    if (slash != std::string::npos) {
        auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
        if (error != std::errc() || end != text.data() + text.size()) bits = -1;
    }
    std::array<uint8_t, sizeof(in6_addr)> base{};
    if (bits < 0 || bits > 128 || ::inet_pton(AF_INET6, text.substr(0, slash).c_str(), base.data()) != 1)
        fail(node, fmt::format("\"{}\" is not a subnet", text), "write it as fd00:5::/64");
    if (bits > 126) fail(node, fmt::format("the subnet {} has no room for containers", text));
    const auto written = base;
    for (int i = 0; i < 16; ++i)
        base[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff00 >> std::clamp(bits - i * 8, 0, 8));
    if (base != written) {
        std::array<char, INET6_ADDRSTRLEN> meant{};
        fail(node, fmt::format("the subnet {} should be {}/{}", text,
                               ::inet_ntop(AF_INET6, base.data(), meant.data(), meant.size()), bits));
    }
    // Nobody, loopback and IPv4; of one link alone; groups.
    if (bits < 8 || base[0] == 0 || base[0] == 0xff || (base[0] == 0xfe && (bits < 10 || (base[1] & 0xc0) == 0x80)))
        fail(node, fmt::format("the subnet {} can't be used for containers", text));
    return text;
}

std::string read_subnet(const Node& node, const std::string& text) {
    size_t slash = text.find('/');
    int bits = -1;
    if (slash != std::string::npos) {
        auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
        if (error != std::errc() || end != text.data() + text.size()) bits = -1;
    }
    in_addr base{};
    if (bits < 0 || bits > 32 || ::inet_pton(AF_INET, text.substr(0, slash).c_str(), &base) != 1) {
        fail(node, fmt::format("\"{}\" is not a subnet", text), "write it as 172.28.0.0/16");
    }
    if (bits > 30) fail(node, fmt::format("the subnet {} has no room for containers", text));
    uint32_t address = ntohl(base.s_addr), mask = bits == 0 ? 0 : ~uint32_t{0} << (32 - bits);
    if (address & ~mask) {
        base.s_addr = htonl(address & mask);
        std::array<char, INET_ADDRSTRLEN> meant{};
        fail(node, fmt::format("the subnet {} should be {}/{}", text,
                               ::inet_ntop(AF_INET, &base, meant.data(), meant.size()), bits));
    }
    // This network, loopback, multicast and above.
    uint32_t first = address >> 24, last = (address | ~mask) >> 24;
    if (first == 0 || (first <= 127 && last >= 127) || last >= 224)
        fail(node, fmt::format("the subnet {} can't be used for containers", text));
    return text;
}

/// One for each family.
void read_ipam_config(const Node& config, Network& network) {
    check_keys(config, keys::ipam_config);
    bool ipv6 = false;
    std::string subnet, gateway;
    with(config, "subnet", [&](const Node& value) {
        const std::string text = read_string(value);
        ipv6 = text.find(':') != std::string::npos;
        subnet = ipv6 ? read_subnet6(value, text) : read_subnet(value, text);
        if (!(ipv6 ? network.subnet6 : network.subnet).empty())
            fail(value, "more than one subnet of a family is not supported yet");
    });
    with(config, "gateway", [&](const Node& value) {
        gateway = read_string(value);
        if (!is_ip(gateway)) fail(value, fmt::format("\"{}\" is not an IP address", gateway));
        if (subnet.empty()) fail(value, "needs a subnet");
        if (!subnet_holds(subnet, gateway)) fail(value, fmt::format("{} is not in the subnet {}", gateway, subnet));
    });
    if (subnet.empty()) return;
    (ipv6 ? network.subnet6 : network.subnet) = subnet;
    (ipv6 ? network.gateway6 : network.gateway) = gateway;
}

void read_ipam(const Node& node, Network& network) {
    check_keys(node, keys::ipam);
    with(node, "driver", [](const Node& value) { read_one_of(value, {"default"}); });
    with(node, "config", [&](const Node& configs) {
        if (!configs.is_sequence()) fail(configs, "must be a list");
        for (const Node& config : configs.items) read_ipam_config(config, network);
    });
}

std::map<std::string, std::string> read_network_options(const Node& node) {
    std::map<std::string, std::string> options = read_map(node);
    for (const auto& [name, value] : options) {
        const Node& at = *node.find(name);
        if (name == "com.docker.network.driver.mtu") {
            (void)read_integer(at, 68, 65535);
        } else if (name == "com.docker.network.bridge.name") {
            bool odd = value.empty() || value.size() > 15 || value == "." || value == ".." ||
                       std::any_of(value.begin(), value.end(),
                                   [](char c) { return c <= ' ' || c > '~' || std::strchr("/:\"%", c); });
            if (odd) fail(at, fmt::format("\"{}\" is not a bridge's name", value));
        } else if (name == "com.docker.network.bridge.enable_icc" ||
                   name == "com.docker.network.bridge.enable_ip_masquerade") {
            if (value != "true") fail(at, fmt::format("the value \"{}\" is not supported yet", value));
        } else {
            fail(at, "the network option is not supported yet");
        }
    }
    return options;
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
    with(node, "internal", [&](const Node& value) { network.internal = read_bool(value); });
    with(node, "driver", [&](const Node& value) {
        network.driver = read_string(value);
        if (network.driver != "bridge" && network.driver != "default" && !network.driver.empty()) {
            fail(value, fmt::format("the network driver \"{}\" is not supported yet", network.driver));
        }
        network.driver = "bridge";
    });
    with(node, "driver_opts", [&](const Node& value) { network.driver_opts = read_network_options(value); });
    with(node, "labels", [&](const Node& value) { network.labels = read_map(value); });
    with(node, "enable_ipv6", [&](const Node& value) { network.enable_ipv6 = read_bool(value); });
    with(node, "ipam", [&](const Node& value) {
        read_ipam(value, network);
        if (!network.subnet6.empty() && !network.enable_ipv6)
            fail(value, fmt::format("the subnet {} needs enable_ipv6: true", network.subnet6));
    });
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
