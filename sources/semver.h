#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::sources {

/// A version by Semantic Versioning 2.0.0, with an optional leading `v`. Build metadata is dropped.
struct Version {
    uint64_t major = 0, minor = 0, patch = 0;
    std::vector<std::string> prerelease;

    /// Empty for anything that isn't a whole version of three numbers.
    static std::optional<Version> parse(std::string_view text);
    std::strong_ordering operator<=>(const Version& other) const;
    bool operator==(const Version& other) const { return (*this <=> other) == 0; }
};

/// A range of versions as package tools write it: `^1.2`, `~1.2.3`, `>=1.0 <2.0`, `1.x`, `*`, `1.2 - 1.4`, alternatives
/// with `||`; spaces and commas mean "and". Pre-releases match only where a bound of the same three numbers has one.
class VersionRange {
public:
    /// Throws Error (invalid_argument).
    static VersionRange parse(std::string_view text);
    bool contains(const Version& version) const;

private:
    enum class Operator { less, less_equal, greater, greater_equal, equal, not_equal };
    struct Bound {
        Operator op;
        Version version;
    };
    friend struct RangeParser;
    std::vector<std::vector<Bound>> alternatives_;
};

}  // namespace kedge::sources
