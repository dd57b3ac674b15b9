#include "cli/flag_values.h"

#include "base/text.h"
#include "cli/format.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <filesystem>
#include <set>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// `./data` and `.` start from the working directory, as a shell's paths do; other names are volumes.
std::string absolute(const std::string& path, const std::string& folder) {
    if (!path.starts_with(".")) return path;
    std::string whole = (std::filesystem::path(folder) / path).lexically_normal().string();
    while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
    return whole;
}

/// Fields of a line of comma-separated values; one that begins with a quote may have commas in it.
std::vector<std::string> split_fields(const std::string& text) {
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '"' && !quoted && fields.back().empty())
            quoted = true;
        else if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"')
            fields.back() += text[++i];
        else if (c == '"' && quoted)
            quoted = false;
        else if (c == ',' && !quoted)
            fields.emplace_back();
        else
            fields.back() += c;
    }
    return fields;
}

/// One --mount on its way into JSON.
struct Mount {
    json value = {{"Type", "volume"}};
    std::set<std::string> kinds;  ///< which kind of mount the options are for

    void set(const std::string& key, const std::string& text, const std::string& field, const std::string& folder);
    void set_tmpfs(const std::string& key, const std::string& text);
    bool set_bind(const std::string& key, const std::string& text);
    bool set_volume(const std::string& key, const std::string& text);
};

bool read_flag(const std::string& key, const std::string& text) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    throw Error(Code::invalid_argument, fmt::format("invalid value for {}: {}", key, text));
}

void Mount::set_tmpfs(const std::string& key, const std::string& text) {
    kinds.insert("tmpfs");
    if (key == "tmpfs-size") {
        value["TmpfsOptions"]["SizeBytes"] = size_of(text);
        return;
    }
    unsigned mode = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (failure != std::errc() || end != text.data() + text.size()) {
        throw Error(Code::invalid_argument, fmt::format("invalid value for {}: {}", key, text));
    }
    value["TmpfsOptions"]["Mode"] = mode;
}

bool Mount::set_bind(const std::string& key, const std::string& text) {
    json& options = value["BindOptions"];
    if (key == "bind-propagation") {
        options["Propagation"] = text;
    } else if (key == "bind-nonrecursive") {
        options["NonRecursive"] = read_flag(key, text);
    } else if (key == "bind-recursive") {
        if (text == "disabled")
            options["NonRecursive"] = true;
        else if (text == "writable")
            options["ReadOnlyNonRecursive"] = true;
        else if (text == "readonly")
            options["ReadOnlyForceRecursive"] = true;
        else if (text != "enabled")
            throw Error(Code::invalid_argument,
                        fmt::format("invalid value for {}: {} (must be \"enabled\", \"disabled\", \"writable\", or "
                                    "\"readonly\")",
                                    key, text));
        if (options.is_null()) options = json::object();
    } else {
        return false;
    }
    return true;
}

bool Mount::set_volume(const std::string& key, const std::string& text) {
    json& options = value["VolumeOptions"];
    if (key == "volume-nocopy") {
        options["NoCopy"] = read_flag(key, text);
    } else if (key == "volume-subpath") {
        options["Subpath"] = text;
    } else if (key == "volume-label") {
        const size_t equals = text.find('=');
        options["Labels"][text.substr(0, equals)] = equals == std::string::npos ? "" : text.substr(equals + 1);
    } else if (key == "volume-driver") {
        options["DriverConfig"]["Name"] = text;
    } else if (key == "volume-opt") {
        const size_t equals = text.find('=');
        options["DriverConfig"]["Options"][text.substr(0, equals)] =
            equals == std::string::npos ? "" : text.substr(equals + 1);
    } else {
        return false;
    }
    return true;
}

void Mount::set(const std::string& key, const std::string& text, const std::string& field, const std::string& folder) {
    if (key == "type") {
        value["Type"] = text;
    } else if (key == "source" || key == "src") {
        value["Source"] = absolute(text, folder);
    } else if (key == "target" || key == "dst" || key == "destination") {
        value["Target"] = text;
    } else if (key == "readonly" || key == "ro") {
        value["ReadOnly"] = read_flag(key, text);
    } else if (key == "consistency") {
        value["Consistency"] = text;
    } else if (key.starts_with("bind-") && set_bind(key, text)) {
        kinds.insert("bind");
    } else if (key.starts_with("volume-") && set_volume(key, text)) {
        kinds.insert("volume");
    } else if (key == "tmpfs-size" || key == "tmpfs-mode") {
        set_tmpfs(key, text);
    } else if (key == "image-subpath") {
        value["ImageOptions"]["Subpath"] = text;
        kinds.insert("image");
    } else {
        throw Error(Code::invalid_argument, fmt::format("unexpected key '{}' in '{}'", key, field));
    }
}

json mount_of(const std::string& flag, const std::string& folder) {
    Mount mount;
    for (const std::string& field : split_fields(flag)) {
        size_t equals = field.find('=');
        std::string key = field.substr(0, equals);
        bool may_stand_alone = key == "readonly" || key == "ro" || key == "volume-nocopy" || key == "bind-nonrecursive";
        if (equals == std::string::npos && !may_stand_alone) {
            throw Error(Code::invalid_argument, fmt::format("invalid field '{}' must be a key=value pair", field));
        }
        mount.set(key, equals == std::string::npos ? "true" : field.substr(equals + 1), field, folder);
    }
    std::string type = mount.value["Type"];
    static const std::set<std::string> known = {"bind", "volume", "tmpfs", "image"};
    if (!known.contains(type)) throw Error(Code::invalid_argument, "mount type " + type + " is not supported");
    if (text_of(mount.value, "Target").empty()) throw Error(Code::invalid_argument, "target is required");
    for (const std::string& kind : mount.kinds) {
        if (kind != type)
            throw Error(Code::invalid_argument,
                        fmt::format("cannot mix '{}-*' options with mount type '{}'", kind, type));
    }
    return mount.value;
}

}  // namespace

void put_volumes(const std::vector<std::string>& flags, const std::string& folder, json& body) {
    for (const std::string& flag : flags) {
        if (flag.empty()) throw Error(Code::invalid_argument, "invalid empty volume spec");
        std::vector<std::string> parts = split(flag, ':');
        for (const std::string& part : parts) {
            if (part.empty())
                throw Error(Code::invalid_argument, "invalid spec: " + flag + ": empty section between colons");
        }
        if (parts.size() > 3) throw Error(Code::invalid_argument, "invalid volume specification: '" + flag + "'");
        if (parts.size() == 1) {
            body["Volumes"][flag] = json::object();
        } else {
            body["HostConfig"]["Binds"].push_back(absolute(parts[0], folder) + flag.substr(parts[0].size()));
        }
    }
}

json read_mount(const std::string& flag, const std::string& folder) {
    try {
        return mount_of(flag, folder);
    } catch (const Error& error) {
        throw invalid_flag(flag, "--mount", error.what());
    }
}

std::pair<std::string, std::string> read_tmpfs(const std::string& flag) {
    size_t colon = flag.find(':');
    return {flag.substr(0, colon), colon == std::string::npos ? "" : flag.substr(colon + 1)};
}

}  // namespace kedge::cli
