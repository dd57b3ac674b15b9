#include "agent/yaml_reader.h"

#include "base/error.h"
#include "base/size.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <set>

namespace kedge::agent {

struct YamlReader::State {
    YAML::Node node;
    std::string file;
    std::string path;
    std::set<std::string> asked;
};

namespace {

[[noreturn]] void fail_at(const std::string& file, const YAML::Mark& mark, const std::string& message) {
    std::string line = mark.is_null() ? "" : std::to_string(mark.line + 1) + ": ";
    throw Error(Code::invalid_argument, file + ":" + line + (line.empty() ? " " : "") + message);
}

}  // namespace

YamlReader YamlReader::parse(const std::string& text, const std::string& file) {
    try {
        YAML::Node node = YAML::Load(text);
        if (node.IsNull()) node = YAML::Node(YAML::NodeType::Map);
        return YamlReader(node, file, "");
    } catch (const YAML::Exception& e) {
        fail_at(file, e.mark, e.msg);
    }
}

YamlReader::YamlReader(const YAML::Node& node, std::string file, std::string path)
    : state_(std::make_shared<State>(State{node, std::move(file), std::move(path), {}})) {
    if (!node.IsMap())
        fail_at(state_->file, node.Mark(), (state_->path.empty() ? "the file" : state_->path) + ": must be a mapping");
    std::set<std::string> seen;
    for (const auto& entry : node) {
        if (!entry.first.IsScalar()) fail_at(state_->file, entry.first.Mark(), path_of("?") + ": a key must be a word");
        if (!seen.insert(entry.first.Scalar()).second) {
            fail_at(state_->file, entry.first.Mark(), path_of(entry.first.Scalar()) + ": is there twice");
        }
    }
}

YamlReader::YamlReader(const YamlReader&) = default;
YamlReader::~YamlReader() = default;

std::string YamlReader::path_of(const std::string& key) const {
    return state_->path.empty() ? key : state_->path + "." + key;
}

void YamlReader::fail(const std::string& key, const std::string& message) const {
    const YAML::Node& map = state_->node;
    YAML::Node value = map[key];
    fail_at(state_->file, value.IsDefined() ? value.Mark() : map.Mark(), path_of(key) + ": " + message);
}

YAML::Node YamlReader::take(const std::string& key) {
    state_->asked.insert(key);
    const YAML::Node& map = state_->node;
    YAML::Node value = map[key];
    return value.IsDefined() && !value.IsNull() ? value : YAML::Node(YAML::NodeType::Undefined);
}

bool YamlReader::has(const std::string& key) {
    return take(key).IsDefined();
}

std::string YamlReader::text(const std::string& key, const std::string& otherwise) {
    YAML::Node value = take(key);
    if (!value.IsDefined()) return otherwise;
    if (!value.IsScalar()) fail(key, "must be a text");
    return value.Scalar();
}

bool YamlReader::flag(const std::string& key, bool otherwise) {
    std::string value = text(key);
    if (value.empty()) return otherwise;
    if (value == "true") return true;
    if (value == "false") return false;
    fail(key, "\"" + value + "\" is neither true nor false");
}

int64_t YamlReader::number(const std::string& key, int64_t otherwise, int64_t least, int64_t most) {
    std::string value = text(key);
    if (value.empty()) return otherwise;
    int64_t number = 0;
    auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failure != std::errc() || end != value.data() + value.size() || number < least || number > most) {
        fail(key,
             "\"" + value + "\" is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
}

double YamlReader::fraction(const std::string& key, double otherwise) {
    std::string value = text(key);
    if (value.empty()) return otherwise;
    double number = -1;
    auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failure != std::errc() || end != value.data() + value.size() || !(number >= 0 && number <= 1)) {
        fail(key, "\"" + value + "\" is not a number from 0 to 1");
    }
    return number;
}

Nanoseconds YamlReader::duration(const std::string& key, Nanoseconds otherwise) {
    std::string value = text(key);
    if (value.empty()) return otherwise;
    Nanoseconds result{0};
    try {
        result = parse_duration(value);
    } catch (const Error& e) {
        fail(key, e.what());
    }
    if (result.count() <= 0) fail(key, "\"" + value + "\" must be above 0");
    return result;
}

int64_t YamlReader::size(const std::string& key, int64_t otherwise) {
    std::string value = text(key);
    if (value.empty()) return otherwise;
    std::optional<int64_t> bytes = parse_size(value);
    if (!bytes || *bytes == 0) fail(key, "\"" + value + "\" is not a size such as 512m or 1g");
    return *bytes;
}

std::vector<std::string> YamlReader::texts(const std::string& key) {
    YAML::Node value = take(key);
    std::vector<std::string> result;
    if (!value.IsDefined()) return result;
    if (!value.IsSequence()) fail(key, "must be a list");
    for (const auto& item : value) {
        if (!item.IsScalar()) fail(key, "must be a list of texts");
        result.push_back(item.Scalar());
    }
    return result;
}

std::map<std::string, std::string> YamlReader::text_map(const std::string& key) {
    YamlReader map = object(key);
    std::map<std::string, std::string> result;
    for (const auto& entry : map.state_->node) result[entry.first.Scalar()] = map.text(entry.first.Scalar());
    return result;
}

std::map<std::string, std::vector<std::string>> YamlReader::texts_map(const std::string& key) {
    YamlReader map = object(key);
    std::map<std::string, std::vector<std::string>> result;
    for (const auto& entry : map.state_->node) result[entry.first.Scalar()] = map.texts(entry.first.Scalar());
    return result;
}

YamlReader YamlReader::object(const std::string& key) {
    YAML::Node value = take(key);
    return YamlReader(value.IsDefined() ? value : YAML::Node(YAML::NodeType::Map), state_->file, path_of(key));
}

std::vector<YamlReader> YamlReader::objects(const std::string& key) {
    YAML::Node value = take(key);
    std::vector<YamlReader> result;
    if (!value.IsDefined()) return result;
    if (!value.IsSequence()) fail(key, "must be a list");
    for (size_t i = 0; i < value.size(); ++i)
        result.emplace_back(value[i], state_->file, path_of(key) + "[" + std::to_string(i) + "]");
    return result;
}

std::vector<std::pair<std::string, YamlReader>> YamlReader::object_map(const std::string& key) {
    YamlReader map = object(key);
    std::vector<std::pair<std::string, YamlReader>> result;
    for (const auto& entry : map.state_->node) {
        result.emplace_back(entry.first.Scalar(), map.object(entry.first.Scalar()));
    }
    return result;
}

void YamlReader::finish() const {
    for (const auto& entry : state_->node) {
        const std::string& key = entry.first.Scalar();
        if (!state_->asked.contains(key))
            fail_at(state_->file, entry.first.Mark(), path_of(key) + ": is not a known key");
    }
}

}  // namespace kedge::agent
