#include "base/error.h"
#include "sources/compose_keys.h"
#include "sources/compose_tree.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

struct Include {
    std::vector<std::string> paths, env_files;
    std::string folder;  ///< its relative paths start there
};

std::string read_path(const Node& node, const std::string& folder) {
    std::string path = read_string(node);
    check_path(node, path);
    return resolve_path(folder, path);
}

std::vector<std::string> read_paths(const Node& node, const std::string& folder) {
    if (!node.is_sequence()) return {read_path(node, folder)};
    std::vector<std::string> paths;
    for (const Node& item : node.items) paths.push_back(read_path(item, folder));
    return paths;
}

Include read_include(const Node& node, const std::string& folder) {
    Include include;
    if (!node.is_map()) {
        include.paths = read_paths(node, folder);
    } else {
        check_keys(node, keys::include);
        with(node, "path", [&](const Node& value) { include.paths = read_paths(value, folder); });
        with(node, "project_directory", [&](const Node& value) { include.folder = read_path(value, folder); });
        with(node, "env_file", [&](const Node& value) { include.env_files = read_paths(value, folder); });
    }
    if (include.paths.empty()) fail(node, "path is missing");
    if (include.folder.empty()) include.folder = std::filesystem::path(include.paths[0]).parent_path().string();
    return include;
}

/// The including project's variables go before what the included one sets for itself.
std::map<std::string, std::string> variables_of(Loading& loading, const Node& node, const Include& include) {
    std::vector<std::string> files = include.env_files;
    std::map<std::string, std::string> variables;
    try {
        std::string usual = resolve_path(include.folder, ".env");
        if (files.empty() && loading.files.exists(usual)) files.push_back(usual);
        for (const std::string& file : files) {
            if (file == kNoFile) continue;
            std::map<std::string, std::string> known = variables;
            for (const auto& [name, value] : loading.variables) known[name] = value;
            std::string text = loading.files.read(file);
            spend(loading, node, text.size());
            for (auto& [name, value] : parse_env_file(text, loading.files.shown(file), known))
                variables[name] = std::move(value);
        }
    } catch (const Error& e) {
        fail(node, e.what(), e.hint());
    }
    for (const auto& [name, value] : loading.variables) variables[name] = value;
    return variables;
}

/// Variables without a value take it from the included project's environment, which is known only here.
void fill_environment(const Loading& loading, Node& service) {
    Node* environment = service.find("environment");
    if (!environment) return;
    for (auto& [name, value] : environment->entries) {
        if (!value.is_null() || !value.tag.empty()) continue;
        if (const std::string* found = find_variable(loading, value, name)) value = yaml::string_node(value, *found);
    }
}

/// The same for a secret's or config's variable.
void fill_source(const Loading& loading, Node& source) {
    Node* variable = source.find("environment");
    if (!variable || !variable->is_string() || variable->tag == kResolved) return;
    const std::string* found = find_variable(loading, *variable, variable->text);
    if (!found) return;
    variable->text = *found;
    variable->tag = kResolved;
}

void import_section(Node& file, Node& included, std::string_view section, const std::string& shown) {
    Node* from = included.find(section);
    if (!from || from->is_null()) return;
    Node* to = file.find(section);
    if (!to || to->is_null()) {
        file.erase(section);
        file.entries.push_back({std::string(section), std::move(*from)});
        return;
    }
    for (auto& [key, value] : from->entries) {
        const Node* old = to->find(key);
        if (old && !same_content(*old, value)) {
            fail(*old, fmt::format("conflicts with the one in the included file {}", shown));
        }
        if (!old) to->entries.push_back({key, std::move(value)});
    }
}

void include_one(Loading& loading, Node& file, const Node& node, const std::string& folder) {
    Include include = read_include(node, folder);
    auto& chain = loading.including;
    chain.push_back(include.paths[0]);
    if (std::find(chain.begin(), chain.end() - 1, chain.back()) != chain.end() - 1) {
        fail(node, fmt::format("include cycle detected: {}", fmt::join(chain, " includes ")));
    }
    auto variables = variables_of(loading, node, include);
    std::swap(loading.variables, variables);
    const Node* from = &node;
    std::swap(loading.included_from, from);
    Node included = load_tree(loading, include.paths, include.folder);
    std::swap(loading.included_from, from);
    chain.pop_back();
    if (Node* services = included.find("services")) {
        for (auto& [name, service] : services->entries) {
            fill_environment(loading, service);
            rebase_service(service, include.folder, folder);
        }
    }
    for (const char* section : {"secrets", "configs"}) {
        Node* all = included.find(section);
        if (!all) continue;
        for (auto& [key, value] : all->entries) {
            fill_source(loading, value);
            if (Node* path = value.find("file")) rebase_path(*path, include.folder, folder);
        }
    }
    std::swap(loading.variables, variables);
    for (const char* section : {"services", "networks", "volumes", "secrets", "configs"}) {
        import_section(file, included, section, loading.files.shown(include.paths[0]));
    }
}

}  // namespace

void resolve_includes(Loading& loading, Node& file, const std::string& folder) {
    const Node* found = file.find("include");
    if (!found) return;
    Node list = *found;
    file.erase("include");
    if (list.is_null()) return;
    if (!list.is_sequence()) fail(list, "must be a list");
    for (const Node& item : list.items) include_one(loading, file, item, folder);
    if (yaml::count_nodes(file) > yaml::kNodeLimit)
        fail(list, fmt::format("the included files have more than {} values", yaml::kNodeLimit));
}

}  // namespace kedge::sources
