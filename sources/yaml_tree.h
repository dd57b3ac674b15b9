#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::sources::yaml {

inline constexpr size_t kFileLimit = 1u << 20;
inline constexpr size_t kNodeLimit = 100000;
inline constexpr size_t kDepthLimit = 64;
/// Bytes of all scalars and keys after aliases and variables are expanded.
inline constexpr size_t kTextLimit = 8u << 20;

/// Where a value stands: the file at the root of the chain, then keys and positions. Shared, so that a hostile file
/// with long keys costs no more memory than its text; written out only for a message.
struct Place {
    std::shared_ptr<const Place> parent;
    std::string name;  ///< the file's name at the root, a key or `[3]` below it
};

enum class Kind { null, boolean, integer, number, string, sequence, map };

struct Entry;

/// One value of a YAML file. Scalars keep their text as written; `kind` says what YAML takes it for.
struct Node {
    Kind kind = Kind::null;
    std::string text;  ///< scalars
    std::string tag;   ///< `!reset`, `!override` or empty
    int line = 0;      ///< from 1
    std::shared_ptr<const Place> place;
    std::vector<Node> items;     ///< sequence
    std::vector<Entry> entries;  ///< map, in the file's order

    bool is_null() const { return kind == Kind::null; }
    bool is_map() const { return kind == Kind::map; }
    bool is_sequence() const { return kind == Kind::sequence; }
    bool is_string() const { return kind == Kind::string; }
    bool is_scalar() const { return kind < Kind::sequence && kind != Kind::null; }

    const Node* find(std::string_view key) const;
    Node* find(std::string_view key);
    void erase(std::string_view key);
};

/// A key of a map and its value.
struct Entry {
    std::string key;
    Node value;
};

/// `services.web.ports[0]`
std::string path_of(const Node& node);

/// `compose.yaml:7: services.web.ports[0]`
std::string where(const Node& node);

/// Throws invalid_argument: `compose.yaml:7: services.web.ports[0]: what`, on one line and of bounded length.
[[noreturn]] void fail(const Node& node, const std::string& what, const std::string& hint = {});

/// A scalar of type string at the place of another value: for forms that are rewritten into others.
Node string_node(const Node& like, std::string text);

/// Whether they say the same, wherever they stand.
bool same_content(const Node& a, const Node& b);

/// How many values there are below and including this one.
size_t count_nodes(const Node& node);
/// How many bytes their keys and scalars have.
size_t count_bytes(const Node& node);

/// Parses one document. `name` is how messages call the file. Anchors, aliases and merge keys are resolved, keys are
/// unique; an empty file is null. Throws Error (invalid_argument).
Node parse(const std::string& text, const std::string& name);

}  // namespace kedge::sources::yaml
