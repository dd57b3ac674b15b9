#include "sources/compose_tree.h"

#include "base/error.h"
#include "sources/compose_interpolate.h"
#include "sources/compose_keys.h"
#include "sources/compose_merge.h"
#include "sources/utf8.h"

#include <fmt/format.h>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

void interpolate_below(Loading& loading, Node& node, size_t& spent) {
    for (Node& item : node.items) interpolate_below(loading, item, spent);
    for (auto& [key, value] : node.entries) interpolate_below(loading, value, spent);
    if (!node.is_string() || node.text.find('$') == std::string::npos) return;
    auto lookup = [&](const std::string& name) -> const std::string* {
        auto found = loading.variables.find(name);
        return found == loading.variables.end() ? nullptr : &found->second;
    };
    auto on_unset = [&](const std::string& name) {
        loading.warnings.insert(fmt::format("the \"{}\" variable is not set, defaulting to a blank string", name));
    };
    try {
        node.text = interpolate(node.text, lookup, on_unset);
    } catch (const Error& e) {
        fail(node, e.what(), e.hint());
    }
    // Only a variable of the environment can have brought it in.
    if (!is_utf8(node.text)) fail(node, "a variable in it is not valid UTF-8");
    spent += node.text.size();
    if (spent > yaml::kTextLimit) fail(node, fmt::format("variables expand to more than {} bytes", yaml::kTextLimit));
}

void check_count(const Node& file) {
    const Node* services = file.find("services");
    if (!services || services->entries.size() <= kServiceLimit) return;
    fail(*services, fmt::format("more than {} services", kServiceLimit));
}

}  // namespace

void interpolate_tree(Loading& loading, Node& node) {
    size_t spent = 0;
    interpolate_below(loading, node, spent);
}

Node parse_file(Loading& loading, const std::string& path, const Node* from) {
    std::string text;
    try {
        text = loading.files.read(path, yaml::kFileLimit);
    } catch (const Error& e) {
        if (!from) throw;
        fail(*from, e.what());
    }
    return yaml::parse(text, loading.files.shown(path));
}

Node load_file(Loading& loading, const std::string& path, const Node* from) {
    Node file = parse_file(loading, path, from);
    if (++loading.trees > kTreeLimit)
        fail(from ? *from : file, fmt::format("more than {} files are extended or included", kTreeLimit));
    if (file.is_null()) fail(file, "empty compose file");
    if (!file.is_map()) fail(file, "top-level object must be a mapping");
    // In each file, as only parts of those that are extended or included get further.
    check_keys(file, keys::project);
    for (const char* section : {"services", "networks", "volumes", "secrets", "configs"}) {
        with(file, section, [](const Node& all) {
            if (!all.is_map()) fail(all, "must be a mapping");
        });
    }
    check_count(file);
    interpolate_tree(loading, file);
    normalize_services(file);
    spend(loading, file, yaml::count_bytes(file));
    return file;
}

Node load_tree(Loading& loading, const std::vector<std::string>& files, const std::string& folder) {
    Node merged;
    for (const std::string& path : files) {
        Node file = load_file(loading, path, loading.included_from);
        resolve_extends(loading, file, path, folder);
        resolve_includes(loading, file, folder);
        if (merged.is_null()) {
            merged = std::move(file);
        } else {
            merge_tree(merged, std::move(file));
        }
        check_count(merged);
    }
    return merged;
}

}  // namespace kedge::sources
