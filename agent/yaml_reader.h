#pragma once

#include "base/clock.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace YAML {
class Node;
}

namespace kedge::agent {

/// A mapping of the configuration that is read strictly: every key must be asked for, and every error names file, line
/// and key
/// (`agent.yaml:7: sources[0].poll: "often" is not a duration`).
class YamlReader {
public:
    /// Parses a whole file's text. Throws Error (invalid_argument).
    static YamlReader parse(const std::string& text, const std::string& file);

    YamlReader(const YAML::Node& node, std::string file, std::string path);
    YamlReader(const YamlReader&);
    ~YamlReader();

    bool has(const std::string& key);
    std::string text(const std::string& key, const std::string& otherwise = {});
    bool flag(const std::string& key, bool otherwise);
    int64_t number(const std::string& key, int64_t otherwise, int64_t least, int64_t most);
    double fraction(const std::string& key, double otherwise);            ///< 0 to 1
    Nanoseconds duration(const std::string& key, Nanoseconds otherwise);  ///< above 0
    int64_t size(const std::string& key, int64_t otherwise);              ///< `512m`, `1g`, bytes
    std::vector<std::string> texts(const std::string& key);
    std::map<std::string, std::string> text_map(const std::string& key);
    std::map<std::string, std::vector<std::string>> texts_map(const std::string& key);
    YamlReader object(const std::string& key);  ///< an empty one if the key is absent
    std::vector<YamlReader> objects(const std::string& key);
    std::vector<std::pair<std::string, YamlReader>> object_map(const std::string& key);

    /// Call when all keys were asked for: any other is an error.
    void finish() const;
    [[noreturn]] void fail(const std::string& key, const std::string& message) const;

private:
    struct State;
    YAML::Node take(const std::string& key);
    std::string path_of(const std::string& key) const;
    std::shared_ptr<State> state_;
};

}  // namespace kedge::agent
