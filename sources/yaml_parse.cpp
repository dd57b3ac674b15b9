#include "sources/yaml_tree.h"

#include "base/error.h"
#include "sources/utf8.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

namespace kedge::sources::yaml {

namespace {

/// What the parser saw, before aliases are expanded: they share their anchor's value.
struct Raw {
    Kind kind = Kind::null;
    std::string text, tag;
    int line = 0;
    std::vector<std::shared_ptr<Raw>> children;  ///< of a map: key, value, key, value ...
};

[[noreturn]] void fail_at(const std::string& name, int line, const std::string& what) {
    throw Error(Code::invalid_argument, fmt::format("{}:{}: {}", name, line, what));
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_integer(std::string_view text) {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    std::string_view digits = "0123456789";
    if (text.starts_with("0x")) digits = "0123456789abcdefABCDEF";
    if (text.starts_with("0o")) digits = "01234567";
    if (digits.size() != 10) text.remove_prefix(2);
    return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

bool is_number(std::string_view text) {
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (is_one_of(text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})) return true;
    if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return false;
    if (text.find_first_of("0123456789") == std::string_view::npos) return false;
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error != std::errc::invalid_argument && end == text.data() + text.size();
}

/// YAML 1.2 core schema, as Compose's own parser reads it: `yes`, `no`, `on` and `off` are strings.
Kind kind_of_plain(std::string_view text) {
    if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return Kind::null;
    if (is_one_of(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) return Kind::boolean;
    if (is_integer(text)) return Kind::integer;
    return is_number(text) ? Kind::number : Kind::string;
}

class TreeBuilder : public YAML::EventHandler {
public:
    explicit TreeBuilder(const std::string& name) : name_(name) {}

    std::shared_ptr<Raw> take_root() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) fail_at(name_, mark.line + 1, "more than one document in a file is not supported");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(Kind::null, mark, "", anchor)); }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        auto found = anchors_.find(anchor);
        if (found == anchors_.end()) fail_at(name_, mark.line + 1, "an alias refers to an unknown anchor");
        if (std::find(open_.begin(), open_.end(), found->second) != open_.end()) {
            fail_at(name_, mark.line + 1, "an alias refers to the value that it is part of");
        }
        add(found->second);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        bool plain =
            tag == "?" || tag.starts_with("tag:yaml.org,2002:") || tag.starts_with("!re") || tag.starts_with("!over");
        Kind kind = plain && tag != "tag:yaml.org,2002:str" ? kind_of_plain(value) : Kind::string;
        auto raw = make(kind, mark, tag, anchor);
        // "\0" in double quotes; the kernel would take what is before it for the whole.
        if (value.find('\0') != std::string::npos) fail_at(name_, mark.line + 1, "a zero byte is not allowed");
        raw->text = value;
        add(raw);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(make(Kind::sequence, mark, tag, anchor), mark);
    }
    void OnSequenceEnd() override { open_.pop_back(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(make(Kind::map, mark, tag, anchor), mark);
    }
    void OnMapEnd() override { open_.pop_back(); }

private:
    std::shared_ptr<Raw> make(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (++count_ > kNodeLimit) fail_at(name_, mark.line + 1, fmt::format("has more than {} values", kNodeLimit));
        auto raw = std::make_shared<Raw>();
        raw->kind = kind;
        raw->line = mark.line + 1;
        if (tag == "!reset" || tag == "!override") {
            raw->tag = tag;
        } else if (!tag.empty() && tag != "?" && tag != "!" && !tag.starts_with("tag:yaml.org,2002:")) {
            fail_at(name_, mark.line + 1, fmt::format("the tag {} is not supported", tag.substr(0, 100)));
        }
        if (anchor != YAML::NullAnchor) anchors_[anchor] = raw;
        return raw;
    }

    void add(const std::shared_ptr<Raw>& raw) {
        if (open_.empty()) {
            root_ = raw;
        } else {
            open_.back()->children.push_back(raw);
        }
    }

    void open(const std::shared_ptr<Raw>& raw, const YAML::Mark& mark) {
        if (open_.size() >= kDepthLimit)
            fail_at(name_, mark.line + 1, fmt::format("is nested deeper than {} levels", kDepthLimit));
        add(raw);
        open_.push_back(raw);
    }

    const std::string& name_;
    int documents_ = 0;
    size_t count_ = 0;
    std::shared_ptr<Raw> root_;
    std::vector<std::shared_ptr<Raw>> open_;
    std::unordered_map<YAML::anchor_t, std::shared_ptr<Raw>> anchors_;
};

/// Copies the shared values into a tree of their own, within the limits.
class Expander {
public:
    explicit Expander(const std::string& name) : name_(name) {}

    Node expand(const Raw& raw, std::shared_ptr<const Place> place, size_t depth = 0) {
        if (depth > kDepthLimit) fail_at(name_, raw.line, fmt::format("is nested deeper than {} levels", kDepthLimit));
        spend(raw, raw.text.size());
        Node node;
        node.kind = raw.kind;
        node.text = raw.text;
        node.tag = raw.tag;
        node.line = raw.line;
        node.place = std::move(place);
        if (raw.kind == Kind::sequence) {
            for (size_t i = 0; i < raw.children.size(); ++i) {
                auto item = std::make_shared<const Place>(Place{node.place, fmt::format("[{}]", i)});
                node.items.push_back(expand(*raw.children[i], item, depth + 1));
            }
        } else if (raw.kind == Kind::map) {
            expand_map(raw, node, depth);
        }
        return node;
    }

private:
    void spend(const Raw& raw, size_t bytes) {
        text_ += bytes;
        if (++count_ > kNodeLimit || text_ > kTextLimit) {
            fail_at(name_, raw.line,
                    fmt::format("its aliases expand to more than {} values or {} bytes", kNodeLimit, kTextLimit));
        }
    }

    void expand_map(const Raw& raw, Node& node, size_t depth) {
        std::unordered_set<std::string> keys;
        std::vector<Node> merged;
        for (size_t i = 0; i + 1 < raw.children.size(); i += 2) {
            const Raw& key = *raw.children[i];
            const Raw& value = *raw.children[i + 1];
            if (key.kind == Kind::sequence || key.kind == Kind::map || key.text.empty()) {
                fail_at(name_, key.line, "a key must be a string");
            }
            spend(key, key.text.size());
            if (!keys.insert(key.text).second) fail_duplicate(node, key);
            auto place = std::make_shared<const Place>(Place{node.place, key.text});
            if (key.text != "<<") {
                Node& added = node.entries.emplace_back(Entry{key.text, expand(value, place, depth + 1)}).value;
                // The parser sees a value that is empty or a block on the line after its key.
                added.line = key.line;
            } else {
                // A merged value stands where it is merged to, so its places are the map's.
                add_merged(value, node, depth, merged);
            }
        }
        // Own keys win over merged ones, and earlier merged maps over later ones.
        for (Node& from : merged) {
            for (auto& [name, value] : from.entries) {
                if (keys.insert(name).second) node.entries.push_back({name, std::move(value)});
            }
        }
    }

    void add_merged(const Raw& value, const Node& node, size_t depth, std::vector<Node>& merged) {
        auto add = [&](const Raw& from) {
            if (from.kind != Kind::map) fail_at(name_, from.line, "<< takes a map or a list of maps");
            merged.push_back(expand(from, node.place, depth + 1));
        };
        if (value.kind != Kind::sequence) return add(value);
        for (const auto& item : value.children) add(*item);
    }

    [[noreturn]] void fail_duplicate(const Node& node, const Raw& key) const {
        Node at = string_node(node, "");
        at.line = key.line;
        at.place = std::make_shared<const Place>(Place{node.place, key.text});
        fail(at, "the key is there twice");
    }

    const std::string& name_;
    size_t count_ = 0, text_ = 0;
};

/// What yaml-cpp would take: zero bytes end its input early, and malformed UTF-8 goes through to names and JSON.
void check_text(const std::string& text, const std::string& name) {
    if (text.size() > kFileLimit) fail_at(name, 1, fmt::format("is larger than {} bytes", kFileLimit));
    int line = 1;
    for (size_t i = 0; i < text.size();) {
        unsigned char c = static_cast<unsigned char>(text[i]);
        size_t length = utf8_length(std::string_view(text).substr(i, 4));
        if (length == 0) fail_at(name, line, "is not valid UTF-8");
        if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f) {
            fail_at(name, line, "control characters are not allowed");
        }
        if (c == '\n') ++line;
        i += length;
    }
}

}  // namespace

Node parse(const std::string& text, const std::string& name) {
    check_text(text, name);
    TreeBuilder builder(name);
    try {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& e) {
        fail_at(name, e.mark.line + 1, "malformed YAML: " + e.msg);
    }
    auto place = std::make_shared<const Place>(Place{nullptr, name});
    auto root = builder.take_root();
    if (root) return Expander(name).expand(*root, place);
    Node empty;
    empty.line = 1;
    empty.place = place;
    return empty;
}

}  // namespace kedge::sources::yaml
