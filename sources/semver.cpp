#include "sources/semver.h"

#include "base/error.h"

#include <algorithm>
#include <charconv>

namespace kedge::sources {

namespace {

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    while (true) {
        size_t end = text.find_first_of(separators);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<uint64_t> number(std::string_view text) {
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
    if (text.size() > 1 && text[0] == '0') return {};
    return value;
}

bool is_identifier(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    });
}

std::strong_ordering compare_identifiers(const std::string& a, const std::string& b) {
    auto left = number(a);
    auto right = number(b);
    if (left && right) return *left <=> *right;
    if (left) return std::strong_ordering::less;  // numbers are below words
    if (right) return std::strong_ordering::greater;
    return a.compare(b) <=> 0;
}

/// A version of which only the first numbers may be given: `1`, `1.2`, `1.x`, `*`.
struct Partial {
    Version version;
    int given = 0;  ///< how many of the three numbers
};

std::optional<Partial> parse_partial(std::string_view text) {
    if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
    if (auto whole = Version::parse(text)) return Partial{*whole, 3};
    Partial partial;
    uint64_t* fields[] = {&partial.version.major, &partial.version.minor, &partial.version.patch};
    auto parts = split(text, ".");
    if (parts.size() > 3) return {};
    bool wild = false;
    for (auto part : parts) {
        if (part == "x" || part == "X" || part == "*") {
            wild = true;
        } else if (auto value = number(part); value && !wild) {
            *fields[partial.given++] = *value;
        } else {
            return {};
        }
    }
    return partial;
}

/// The first version after all those that begin with the first `count` numbers.
Version next_after(Version version, int count) {
    version.prerelease.clear();
    if (count == 1) return {version.major + 1, 0, 0, {}};
    if (count == 2) return {version.major, version.minor + 1, 0, {}};
    return {version.major, version.minor, version.patch + 1, {}};
}

}  // namespace

std::optional<Version> Version::parse(std::string_view text) {
    if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
    text = text.substr(0, text.find('+'));
    size_t dash = text.find('-');
    auto parts = split(text.substr(0, dash), ".");
    if (parts.size() != 3) return {};
    auto major = number(parts[0]), minor = number(parts[1]), patch = number(parts[2]);
    if (!major || !minor || !patch) return {};
    Version version{*major, *minor, *patch, {}};
    if (dash != std::string_view::npos) {
        for (auto part : split(text.substr(dash + 1), ".")) {
            if (!is_identifier(part)) return {};
            version.prerelease.emplace_back(part);
        }
    }
    return version;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
    if (auto order = major <=> other.major; order != 0) return order;
    if (auto order = minor <=> other.minor; order != 0) return order;
    if (auto order = patch <=> other.patch; order != 0) return order;
    if (prerelease.empty() || other.prerelease.empty()) return prerelease.empty() <=> other.prerelease.empty();
    return std::lexicographical_compare_three_way(prerelease.begin(), prerelease.end(), other.prerelease.begin(),
                                                  other.prerelease.end(), compare_identifiers);
}

struct RangeParser {
    using Operator = VersionRange::Operator;
    using Bounds = std::vector<VersionRange::Bound>;

    std::string_view whole;

    [[noreturn]] void fail() const {
        throw Error(Code::invalid_argument, "\"" + std::string(whole) + "\" is not a range of versions",
                    "write it as ^1.2, ~1.2.3, 1.x or >=1.0 <2.0");
    }

    Partial partial(std::string_view text) const {
        auto parsed = parse_partial(text);
        if (!parsed) fail();
        return *parsed;
    }

    void add_prefix(Bounds& bounds, const Partial& p, int count) const {
        bounds.push_back({Operator::greater_equal, p.version});
        if (count > 0) bounds.push_back({Operator::less, next_after(p.version, count)});
    }

    void add_caret(Bounds& bounds, const Partial& p) const {
        int count = p.version.major > 0 || p.given == 1 ? 1 : p.version.minor > 0 || p.given == 2 ? 2 : 3;
        add_prefix(bounds, p, p.given == 0 ? 0 : count);
    }

    void add_term(Bounds& bounds, std::string_view term) const {
        size_t end = term.find_first_not_of("<>=!^~");
        if (end == std::string_view::npos) fail();
        std::string_view op = term.substr(0, end);
        Partial p = partial(term.substr(end));
        if (op == "^") return add_caret(bounds, p);
        if (op == "~" || op == "~>") return add_prefix(bounds, p, std::min(p.given, 2));
        if (op.empty() || op == "=" || op == "==") {
            if (p.given == 3) return bounds.push_back({Operator::equal, p.version});
            return add_prefix(bounds, p, p.given);
        }
        if (op == "!=" && p.given == 3) return bounds.push_back({Operator::not_equal, p.version});
        if (op == ">=") return bounds.push_back({Operator::greater_equal, p.version});
        if (op == "<") return bounds.push_back({Operator::less, p.version});
        if (op == ">") {
            if (p.given == 3) return bounds.push_back({Operator::greater, p.version});
            return bounds.push_back({Operator::greater_equal, next_after(p.version, p.given)});
        }
        if (op == "<=") {
            if (p.given == 3) return bounds.push_back({Operator::less_equal, p.version});
            return bounds.push_back({Operator::less, next_after(p.version, p.given)});
        }
        fail();
    }

    Bounds alternative(std::string_view text) const {
        std::vector<std::string> terms;
        for (auto part : split(text, " ,\t")) {
            if (part.empty()) continue;
            bool glue = !terms.empty() && terms.back().find_first_not_of("<>=!^~") == std::string::npos;
            if (glue)
                terms.back() += part;
            else
                terms.emplace_back(part);
        }
        Bounds bounds;
        if (terms.size() == 3 && terms[1] == "-") {
            bounds.push_back({Operator::greater_equal, partial(terms[0]).version});
            add_term(bounds, "<=" + terms[2]);
            return bounds;
        }
        if (terms.empty()) fail();
        for (const std::string& term : terms) add_term(bounds, term);
        return bounds;
    }
};

VersionRange VersionRange::parse(std::string_view text) {
    VersionRange range;
    RangeParser parser{text};
    std::string_view rest = text;
    while (true) {
        size_t bar = rest.find("||");
        range.alternatives_.push_back(parser.alternative(rest.substr(0, bar)));
        if (bar == std::string_view::npos) return range;
        rest.remove_prefix(bar + 2);
    }
}

bool VersionRange::contains(const Version& version) const {
    auto holds = [&](const Bound& bound) {
        auto order = version <=> bound.version;
        switch (bound.op) {
            case Operator::less: return order < 0;
            case Operator::less_equal: return order <= 0;
            case Operator::greater: return order > 0;
            case Operator::greater_equal: return order >= 0;
            case Operator::equal: return order == 0;
            case Operator::not_equal: return order != 0;
        }
        return false;
    };
    auto names_prerelease = [&](const Bound& bound) {
        const Version& v = bound.version;
        return !v.prerelease.empty() && v.major == version.major && v.minor == version.minor &&
               v.patch == version.patch;
    };
    return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const std::vector<Bound>& bounds) {
        if (!version.prerelease.empty() && std::none_of(bounds.begin(), bounds.end(), names_prerelease)) return false;
        return std::all_of(bounds.begin(), bounds.end(), holds);
    });
}

}  // namespace kedge::sources
