#include "sources/yaml_tree.h"

#include "base/error.h"
#include "sources/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kedge::sources::yaml {

namespace {

// A hostile key may be as long as the file; a message need not be.
constexpr size_t kShownLimit = 300;
constexpr size_t kMessageLimit = 1000;

}  // namespace

const Node* Node::find(std::string_view key) const {
    auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &found->value;
}

Node* Node::find(std::string_view key) {
    return const_cast<Node*>(std::as_const(*this).find(key));
}

void Node::erase(std::string_view key) {
    std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

std::string path_of(const Node& node) {
    std::vector<const std::string*> names;
    for (const Place* place = node.place.get(); place && place->parent; place = place->parent.get()) {
        names.push_back(&place->name);
    }
    std::string path;
    for (auto name = names.rbegin(); name != names.rend() && path.size() < kShownLimit; ++name) {
        if (!path.empty() && !(*name)->starts_with('[')) path += '.';
        path += printable(**name, kShownLimit);
    }
    return path;
}

std::string where(const Node& node) {
    const Place* file = node.place.get();
    while (file && file->parent) file = file->parent.get();
    std::string path = path_of(node);
    return fmt::format("{}:{}{}{}", file ? file->name : "", node.line, path.empty() ? "" : ": ", path);
}

void fail(const Node& node, const std::string& what, const std::string& hint) {
    throw Error(Code::invalid_argument, where(node) + ": " + printable(what, kMessageLimit), hint);
}

Node string_node(const Node& like, std::string text) {
    Node node;
    node.kind = Kind::string;
    node.text = std::move(text);
    node.line = like.line;
    node.place = like.place;
    return node;
}

bool same_content(const Node& a, const Node& b) {
    auto same_entry = [](const Entry& x, const Entry& y) { return x.key == y.key && same_content(x.value, y.value); };
    return a.kind == b.kind && a.text == b.text && a.tag == b.tag &&
           std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same_content) &&
           std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(), same_entry);
}

size_t count_nodes(const Node& node) {
    size_t count = 1;
    for (const Node& item : node.items) count += count_nodes(item);
    for (const auto& [key, value] : node.entries) count += count_nodes(value);
    return count;
}

size_t count_bytes(const Node& node) {
    size_t count = node.text.size();
    for (const Node& item : node.items) count += count_bytes(item);
    for (const auto& [key, value] : node.entries) count += key.size() + count_bytes(value);
    return count;
}

}  // namespace kedge::sources::yaml
