#include "base/error.h"
#include "sources/compose_interpolate.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"
#include "sources/utf8.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

const std::string* find_variable(const Loading& loading, const Node& node, const std::string& name) {
    auto found = loading.variables.find(name);
    if (found == loading.variables.end()) return nullptr;
    if (!is_utf8(found->second)) fail(node, fmt::format("the variable {} is not valid UTF-8", name));
    return &found->second;
}

void check_path(const Node& node, const std::string& path) {
    if (path.size() > kPathLimit) fail(node, fmt::format("a path is longer than {} bytes", kPathLimit));
}

std::string resolve_file(const Loading& loading, const Node& node, const std::string& path) {
    check_path(node, path);
    if (!path.starts_with('~')) return resolve_path(loading.files.directory(), path);
    if (loading.files.confined()) fail(node, fmt::format("\"{}\": ~ has no meaning in a repository", path));
    const char* home = ::getenv("HOME");
    if (!home || !*home || (path.size() > 1 && path[1] != '/'))
        fail(node, fmt::format("\"{}\": there is no such home folder", path));
    return resolve_path(home, path.size() > 2 ? path.substr(2) : ".");
}

void spend(Loading& loading, const Node& node, size_t bytes) {
    loading.bytes += bytes;
    if (loading.bytes > kBytesLimit)
        fail(node, fmt::format("the project takes more than {} bytes from files and variables", kBytesLimit));
}

std::string read_project_file(Loading& loading, const Node& node, const std::string& path, size_t limit) {
    std::string full = resolve_file(loading, node, path);
    try {
        std::string text = loading.files.read(full, limit);
        spend(loading, node, text.size());
        return text;
    } catch (const Error& e) {
        fail(node, e.what());
    }
}

namespace {

struct EnvFileUse {
    std::string path;
    bool required = true;
    bool raw = false;  ///< values as they are: no quotes, no variables
};

EnvFileUse read_use(const Node& node) {
    EnvFileUse use;
    if (!node.is_map()) {
        use.path = read_string(node);
        return use;
    }
    check_keys(node, keys::env_file);
    with(node, "path", [&](const Node& value) { use.path = read_string(value); });
    with(node, "required", [&](const Node& value) { use.required = read_bool(value); });
    with(node, "format", [&](const Node& value) { use.raw = read_one_of(value, {"raw"}) == "raw"; });
    if (use.path.empty()) fail(node, "path is missing");
    return use;
}

/// exists(), whose errors name the node.
bool is_there(const Loading& loading, const Node& node, const std::string& full) {
    try {
        return loading.files.exists(full);
    } catch (const Error& e) {
        fail(node, e.what());
    }
}

std::map<std::string, std::string> parse_raw(const std::string& text, const std::string& name) {
    std::map<std::string, std::string> values;
    int number = 0;
    for (size_t start = 0; start < text.size();) {
        size_t end = std::min(text.find('\n', start), text.size());
        std::string line = text.substr(start, end - start);
        start = end + 1;
        ++number;
        if (line.ends_with('\r')) line.pop_back();
        if (!is_utf8(line)) throw Error(Code::invalid_argument, fmt::format("{}:{}: is not valid UTF-8", name, number));
        if (line.find('\0') != std::string::npos)
            throw Error(Code::invalid_argument, fmt::format("{}:{}: a zero byte is not allowed", name, number));
        size_t equals = line.find('=');
        if (line.empty() || line[0] == '#' || equals == std::string::npos || equals == 0) continue;
        values[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return values;
}

using Variables = std::map<std::string, std::string>;

/// `known`: what values may refer to.
void read_env_files(Loading& loading, const Node& list, const Lookup& known, Variables& environment) {
    if (!list.is_sequence()) fail(list, "must be a string or a list");
    for (const Node& item : list.items) {
        EnvFileUse use = read_use(item);
        std::string full = resolve_file(loading, item, use.path);
        if (loading.inactive || (!use.required && !is_there(loading, item, full))) continue;
        std::string text = read_project_file(loading, item, use.path);
        Variables values;
        try {
            values = use.raw ? parse_raw(text, loading.files.shown(full))
                             : parse_env_file(text, loading.files.shown(full), known);
        } catch (const Error& e) {
            fail(item, e.what(), e.hint());
        }
        for (auto& [name, value] : values) {
            spend(loading, item, value.size());
            environment[name] = std::move(value);
        }
    }
}

/// The service's own variables; without a value: from outside, or not at all.
std::map<std::string, std::optional<std::string>> read_own(Loading& loading, const Node& map) {
    if (!map.is_map()) fail(map, "must be a mapping or a list of NAME=value");
    std::map<std::string, std::optional<std::string>> own;
    for (const auto& [name, value] : map.entries) {
        if (name.find('=') != std::string::npos) fail(value, fmt::format("\"{}\" is not a variable's name", name));
        std::optional<std::string>& text = own[name];
        if (!value.is_null()) {
            if (!value.is_scalar()) fail(value, "must be a string, number, boolean or null");
            text = value.text;
        } else if (const std::string* found = find_variable(loading, value, name)) {
            spend(loading, value, found->size());
            text = *found;
        }
    }
    return own;
}

}  // namespace

std::map<std::string, std::string> read_environment(Loading& loading, const Node& service) {
    std::map<std::string, std::optional<std::string>> own;
    with(service, "environment", [&](const Node& map) { own = read_own(loading, map); });
    Variables environment;
    with(service, "env_file", [&](const Node& list) {
        // As in Compose: the project's variables first, then the service's own.
        auto known = [&](const std::string& name) -> const std::string* {
            if (const std::string* found = find_variable(loading, list, name)) return found;
            auto found = own.find(name);
            return found == own.end() || !found->second ? nullptr : &*found->second;
        };
        read_env_files(loading, list, known, environment);
    });
    for (auto& [name, value] : own) {
        if (value) {
            environment[name] = std::move(*value);
        } else {
            environment.erase(name);
        }
    }
    return environment;
}

}  // namespace kedge::sources
