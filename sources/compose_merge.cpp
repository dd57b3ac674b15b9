#include "sources/compose_merge.h"

#include "sources/compose_mounts.h"
#include "sources/compose_ports.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace kedge::sources {

using yaml::Node;

namespace {

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
            map.entries.push_back({std::move(key), std::move(value)});
        } else {
            map.entries[position->second].value = std::move(value);
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
        if (names.insert(item.text).second) map.entries.push_back({item.text, with_kind(item, yaml::Kind::null)});
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

/// The keys on the way to a value: what a key means depends on them, as a service or a label may have any name.
struct Path {
    const Path* parent = nullptr;
    std::string_view key;

    /// `services.*.ports`: the last keys, `*` stands for any one; nothing may be before them.
    bool is(std::initializer_list<std::string_view> keys) const {
        const Path* path = this;
        for (auto wanted = std::rbegin(keys); wanted != std::rend(keys); ++wanted, path = path->parent) {
            if (!path->parent || (*wanted != "*" && *wanted != path->key)) return false;
        }
        return !path->parent;
    }
};

/// Whether the keys of this map are names that people chose, so that `x-` has no meaning in them.
bool holds_names(const Path& path) {
    for (std::string_view section : {"services", "networks", "volumes", "secrets", "configs"}) {
        if (path.is({section}) || path.is({section, "*", "labels"}) || path.is({section, "*", "driver_opts"}))
            return true;
    }
    if (path.is({"services", "*", "networks", "*", "driver_opts"})) return true;
    for (std::string_view key : {"environment", "sysctls", "depends_on", "networks", "ulimits"}) {
        if (path.is({"services", "*", key})) return true;
    }
    return path.is({"services", "*", "logging", "options"}) || path.is({"services", "*", "deploy", "labels"});
}

/// Maps of strings that may also be written as lists of `K=V`, where `K` alone replaces what was there.
bool holds_variables(const Path& path) {
    for (std::string_view key : {"environment", "labels", "sysctls"}) {
        if (path.is({"services", "*", key})) return true;
    }
    return path.is({"services", "*", "deploy", "labels"});
}

bool is_replaced_whole(const Path& path) {
    return path.is({"services", "*", "command"}) || path.is({"services", "*", "entrypoint"}) ||
           path.is({"services", "*", "healthcheck", "test"});
}

/// What makes two entries of a list the same; empty: nothing does.
std::string identity(const Path& path, const Node& item) {
    auto text_of = [&](std::string_view key) {
        const Node* value = item.find(key);
        return value ? value->text : std::string();
    };
    auto of_service = [&](std::string_view key) { return path.is({"services", "*", key}); };
    if (of_service("volumes")) return clean_target(item.is_map() ? text_of("target") : short_mount_target(item.text));
    if (of_service("devices")) return item.is_map() ? text_of("target") : short_mount_target(item.text);
    if (of_service("ports")) return port_identity(item);
    if (of_service("secrets") || of_service("configs")) {
        std::string target = item.is_map() ? text_of("target") : item.text;
        if (target.empty()) target = text_of("source");
        return clean_target(target, of_service("secrets") ? kSecretsFolder : "/");
    }
    if (of_service("env_file")) return item.is_map() ? text_of("path") : item.text;
    if (path.is({"networks", "*", "ipam", "config"})) return text_of("subnet");
    return item.text;
}

void merge_list(const Path& path, Node& base, Node& over) {
    std::unordered_map<std::string, size_t> positions;
    for (size_t i = 0; i < base.items.size(); ++i) positions.emplace(identity(path, base.items[i]), i);
    for (Node& item : over.items) {
        std::string id = identity(path, item);
        auto [position, added] = positions.emplace(id, base.items.size());
        if (added || id.empty()) {
            base.items.push_back(std::move(item));
        } else {
            base.items[position->second] = std::move(item);
        }
    }
}

void merge_value(const Path& path, Node& base, Node over);

void merge_map(const Path& path, Node& base, Node& over) {
    bool names = holds_names(path), variables = holds_variables(path);
    std::unordered_map<std::string, size_t> positions;
    for (size_t i = 0; i < base.entries.size(); ++i) positions.emplace(base.entries[i].key, i);
    for (auto& [key, value] : over.entries) {
        auto [position, added] = positions.emplace(key, base.entries.size());
        if (added) {
            base.entries.push_back({key, std::move(value)});
            continue;
        }
        Node& old = base.entries[position->second].value;
        bool extension = !names && key.starts_with("x-") && key != "x-kedge";
        // A variable without a value too: it then comes from outside.
        if (variables || extension) {
            old = std::move(value);
        } else {
            merge_value({&path, key}, old, std::move(value));
        }
    }
}

/// Options belong to a driver: another one's are no use.
bool is_other_driver(const Path& path, const Node& base, const Node& over) {
    if (!path.is({"services", "*", "logging"})) return false;
    const Node* before = base.find("driver");
    const Node* after = over.find("driver");
    return before && after && before->text != after->text;
}

void merge_value(const Path& path, Node& base, Node over) {
    // What an earlier file removes is not there for a later one; what it overrides is.
    bool replaced = !over.tag.empty() || base.tag == "!reset";
    if (over.tag == "!override") over.tag.clear();
    if (!replaced && over.is_null()) return;
    if (!replaced && base.is_map() && over.is_map() && !is_other_driver(path, base, over))
        return merge_map(path, base, over);
    if (!replaced && base.is_sequence() && over.is_sequence() && !is_replaced_whole(path))
        return merge_list(path, base, over);
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
    merge_value({}, base, std::move(over));
}

void merge_service(Node& base, Node over) {
    Path root, services{&root, "services"}, service{&services, ""};
    merge_value(service, base, std::move(over));
}

void drop_resets(Node& node) {
    auto is_reset = [](const Node& value) { return value.tag == "!reset"; };
    if (node.tag == "!override") node.tag.clear();
    std::erase_if(node.items, is_reset);
    std::erase_if(node.entries, [&](const yaml::Entry& entry) { return is_reset(entry.value); });
    for (Node& item : node.items) drop_resets(item);
    for (auto& [key, value] : node.entries) drop_resets(value);
}

}  // namespace kedge::sources
