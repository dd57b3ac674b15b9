#include "sources/compose_merge.h"

#include "sources/compose_ports.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace kedge::sources {

using yaml::Node;

namespace {

bool is_in(std::string_view name, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

Node with_kind(const Node& like, yaml::Kind kind) {
    Node node;
    node.kind = kind;
    node.tag = like.tag;
    node.line = like.line;
    node.place = like.place;
    return node;
}

/// `[A=1, B]` to `{A: "1", B: null}`.
void list_to_map(Node* list) {
    if (!list || !list->is_sequence()) return;
    Node map = with_kind(*list, yaml::Kind::map);
    std::unordered_map<std::string, size_t> positions;
    for (Node& item : list->items) {
        if (!item.is_scalar()) yaml::fail(item, "must be a string of the form NAME=value");
        size_t equals = item.text.find('=');
        std::string key = item.text.substr(0, equals);
        if (key.empty()) yaml::fail(item, "\"" + item.text.substr(0, 200) + "\" has no name");
        Node value = with_kind(item, yaml::Kind::null);
        if (equals != std::string::npos) value = yaml::string_node(item, item.text.substr(equals + 1));
        auto [position, added] = positions.emplace(key, map.entries.size());
        if (added) {
            map.entries.emplace_back(std::move(key), std::move(value));
        } else {
            map.entries[position->second].second = std::move(value);
        }
    }
    *list = std::move(map);
}

/// `a` to `[a]`.
void scalar_to_list(Node* value) {
    if (!value || (!value->is_scalar() && !value->is_map())) return;
    Node list = with_kind(*value, yaml::Kind::sequence);
    value->tag.clear();
    list.items.push_back(std::move(*value));
    *value = std::move(list);
}

/// `[a, b]` to `{a: null, b: null}`.
void names_to_map(Node* list) {
    if (!list || !list->is_sequence()) return;
    Node map = with_kind(*list, yaml::Kind::map);
    std::unordered_set<std::string> names;
    for (Node& item : list->items) {
        if (!item.is_string()) yaml::fail(item, "must be a string");
        if (names.insert(item.text).second) map.entries.emplace_back(item.text, with_kind(item, yaml::Kind::null));
    }
    *list = std::move(map);
}

/// `{name: address}` or `{name: [address, ...]}` to `[name=address]`.
void hosts_to_list(Node* hosts) {
    if (!hosts || !hosts->is_map()) return;
    Node list = with_kind(*hosts, yaml::Kind::sequence);
    for (auto& [name, value] : hosts->entries) {
        if (!value.is_sequence()) {
            list.items.push_back(yaml::string_node(value, name + "=" + value.text));
            continue;
        }
        for (Node& item : value.items) list.items.push_back(yaml::string_node(item, name + "=" + item.text));
    }
    *hosts = std::move(list);
}

void normalize_service(Node& service) {
    for (const char* key : {"environment", "labels", "sysctls", "annotations"}) list_to_map(service.find(key));
    for (const char* key : {"dns", "dns_search", "tmpfs"}) scalar_to_list(service.find(key));
    if (Node* env_file = service.find("env_file"); env_file && env_file->is_string()) scalar_to_list(env_file);
    for (const char* key : {"depends_on", "networks"}) names_to_map(service.find(key));
    hosts_to_list(service.find("extra_hosts"));
    if (Node* deploy = service.find("deploy")) list_to_map(deploy->find("labels"));
}

/// What makes two entries of a list the same; empty: nothing does.
std::string identity(std::string_view list, const Node& item) {
    auto text_of = [&](std::string_view key) {
        const Node* value = item.find(key);
        return value ? value->text : std::string();
    };
    if (list == "volumes") return item.is_map() ? text_of("target") : short_mount_target(item.text);
    if (list == "ports") return port_identity(item);
    if (list == "secrets" || list == "configs") {
        std::string target = item.is_map() ? text_of("target") : item.text;
        return target.empty() ? text_of("source") : target;
    }
    if (list == "env_file") return item.is_map() ? text_of("path") : item.text;
    if (list == "devices") return item.is_map() ? text_of("target") : short_mount_target(item.text);
    if (list == "config") return text_of("subnet");  // networks.*.ipam
    return item.text;
}

void merge_list(std::string_view name, Node& base, Node& over) {
    std::unordered_map<std::string, size_t> positions;
    for (size_t i = 0; i < base.items.size(); ++i) positions.emplace(identity(name, base.items[i]), i);
    for (Node& item : over.items) {
        std::string id = identity(name, item);
        auto [position, added] = positions.emplace(id, base.items.size());
        if (added || id.empty()) {
            base.items.push_back(std::move(item));
        } else {
            base.items[position->second] = std::move(item);
        }
    }
}

void merge_value(std::string_view name, Node& base, Node over);

void merge_map(std::string_view name, Node& base, Node& over) {
    std::unordered_map<std::string, size_t> positions;
    for (size_t i = 0; i < base.entries.size(); ++i) positions.emplace(base.entries[i].first, i);
    for (auto& [key, value] : over.entries) {
        if (key.starts_with("x-") && key != "x-kedge") continue;  // nobody reads them any more
        auto [position, added] = positions.emplace(key, base.entries.size());
        if (added) {
            base.entries.emplace_back(key, std::move(value));
            continue;
        }
        Node& old = base.entries[position->second].second;
        if (name == "environment") {
            old = std::move(value);  // null too: the variable's value then comes from outside
        } else {
            merge_value(key, old, std::move(value));
        }
    }
}

void merge_value(std::string_view name, Node& base, Node over) {
    bool replaced = !over.tag.empty() || !base.tag.empty();
    if (over.tag == "!override") over.tag.clear();
    if (!replaced && over.is_null()) return;
    if (!replaced && base.is_map() && over.is_map()) return merge_map(name, base, over);
    if (!replaced && base.is_sequence() && over.is_sequence() && !is_in(name, {"command", "entrypoint", "test"})) {
        return merge_list(name, base, over);
    }
    base = std::move(over);
}

}  // namespace

void normalize_services(Node& file) {
    if (Node* services = file.find("services")) {
        for (auto& [name, service] : services->entries) normalize_service(service);
    }
    for (const char* section : {"networks", "volumes", "secrets", "configs"}) {
        Node* all = file.find(section);
        if (!all) continue;
        for (auto& [name, value] : all->entries) list_to_map(value.find("labels"));
    }
}

void merge_tree(Node& base, Node over) {
    merge_value("", base, std::move(over));
}

void drop_resets(Node& node) {
    auto is_reset = [](const Node& value) { return value.tag == "!reset"; };
    if (node.tag == "!override") node.tag.clear();
    std::erase_if(node.items, is_reset);
    std::erase_if(node.entries, [&](const auto& entry) { return is_reset(entry.second); });
    for (Node& item : node.items) drop_resets(item);
    for (auto& [key, value] : node.entries) drop_resets(value);
}

}  // namespace kedge::sources
