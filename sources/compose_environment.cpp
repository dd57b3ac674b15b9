#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <fmt/format.h>

#include <cstdlib>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

std::string resolve_file(const Loading& loading, const Node& node, const std::string& path) {
    if (!path.starts_with('~')) return resolve_path(loading.files.directory(), path);
    if (loading.files.confined()) fail(node, fmt::format("\"{}\": ~ has no meaning in a repository", path));
    const char* home = ::getenv("HOME");
    if (!home || !*home || (path.size() > 1 && path[1] != '/')) fail(node, fmt::format("\"{}\": there is no such home folder", path));
    return resolve_path(home, path.size() > 2 ? path.substr(2) : ".");
}

void spend(Loading& loading, const Node& node, size_t bytes) {
    loading.bytes += bytes;
    if (loading.bytes > kBytesLimit) fail(node, fmt::format("the project takes more than {} bytes from files and variables", kBytesLimit));
}

std::string read_project_file(Loading& loading, const Node& node, const std::string& path, size_t limit) {
    std::string full = resolve_file(loading, node, path);
    try {
        std::string text = loading.files.read(full, limit);
        spend(loading, node, text.size());
        return text;
    } catch (const Error& e) {
        if (e.code() == Code::not_found) fail(node, fmt::format("{} not found", loading.files.shown(full)));
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

std::map<std::string, std::string> parse_raw(const std::string& text) {
    std::map<std::string, std::string> values;
    for (size_t start = 0; start < text.size();) {
        size_t end = std::min(text.find('\n', start), text.size());
        std::string line = text.substr(start, end - start);
        start = end + 1;
        if (line.ends_with('\r')) line.pop_back();
        size_t equals = line.find('=');
        if (line.empty() || line[0] == '#' || equals == std::string::npos || equals == 0) continue;
        values[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return values;
}

}  // namespace

std::map<std::string, std::string> read_environment(Loading& loading, const Node& service) {
    std::map<std::string, std::string> environment;
    with(service, "env_file", [&](const Node& list) {
        if (!list.is_sequence()) fail(list, "must be a string or a list");
        for (const Node& item : list.items) {
            EnvFileUse use = read_use(item);
            std::string full = resolve_file(loading, item, use.path);
            if (!use.required && !loading.files.exists(full)) continue;
            std::string text = read_project_file(loading, item, use.path);
            std::map<std::string, std::string> values;
            try {
                values = use.raw ? parse_raw(text) : parse_env_file(text, loading.files.shown(full), loading.variables);
            } catch (const Error& e) {
                fail(item, e.what(), e.hint());
            }
            for (auto& [name, value] : values) {
                spend(loading, item, value.size());
                environment[name] = std::move(value);
            }
        }
    });
    with(service, "environment", [&](const Node& map) {
        if (!map.is_map()) fail(map, "must be a mapping or a list of NAME=value");
        for (const auto& [name, value] : map.entries) {
            if (!value.is_null()) {
                if (!value.is_scalar()) fail(value, "must be a string, number, boolean or null");
                environment[name] = value.text;
            } else if (auto found = loading.variables.find(name); found != loading.variables.end()) {
                spend(loading, value, found->second.size());
                environment[name] = found->second;
            } else {
                environment.erase(name);
            }
        }
    });
    return environment;
}

}  // namespace kedge::sources
