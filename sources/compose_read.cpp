#include "sources/compose_read.h"

#include "base/error.h"
#include "base/size.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace kedge::sources {

using yaml::fail;
using yaml::Kind;
using yaml::Node;

namespace {

constexpr Nanoseconds kLongest = std::chrono::hours(24 * 3653);

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

std::string shown(const Node& node) {
    return "\"" + node.text.substr(0, 200) + "\"";
}

bool parse_integer(std::string_view text, int base, int64_t& value) {
    if (text.starts_with('+')) text.remove_prefix(1);
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::string read_string(const Node& node) {
    if (!node.is_string()) fail(node, "must be a string");
    return node.text;
}

std::string read_text(const Node& node) {
    if (node.kind != Kind::string && node.kind != Kind::integer && node.kind != Kind::number) {
        fail(node, "must be a string or number");
    }
    return node.text;
}

std::string read_one_of(const Node& node, std::initializer_list<std::string_view> allowed) {
    std::string text = read_string(node);
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
        fail(node, fmt::format("{} is not one of {}", shown(node), fmt::join(allowed, ", ")));
    }
    return text;
}

bool read_bool(const Node& node) {
    std::string text = lower(node.text);
    if (node.kind == Kind::boolean || node.is_string()) {
        for (const char* yes : {"true", "1", "t", "y", "yes", "on"}) {
            if (text == yes) return true;
        }
        for (const char* no : {"false", "0", "f", "n", "no", "off"}) {
            if (text == no) return false;
        }
    }
    fail(node, node.is_string() ? shown(node) + " is not true or false" : "must be true or false");
}

int64_t read_integer(const Node& node, int64_t least, int64_t most) {
    int64_t value = 0;
    if ((node.kind != Kind::integer && !node.is_string()) || !parse_integer(node.text, 10, value)) {
        fail(node, node.is_scalar() ? shown(node) + " is not a whole number" : "must be a whole number");
    }
    if (value < least || value > most) fail(node, fmt::format("{} is not between {} and {}", value, least, most));
    return value;
}

double read_number(const Node& node, double least, double most) {
    bool readable = node.kind == Kind::integer || node.kind == Kind::number || node.is_string();
    double value = 0;
    auto [end, error] = std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
    if (!readable || error != std::errc() || end != node.text.data() + node.text.size() || !std::isfinite(value)) {
        fail(node, node.is_scalar() ? shown(node) + " is not a number" : "must be a number");
    }
    if (value < least || value > most) fail(node, fmt::format("{} is not between {} and {}", value, least, most));
    return value;
}

Nanoseconds read_duration(const Node& node) {
    std::string text = read_string(node);
    Nanoseconds value{0};
    try {
        value = parse_duration(text);
    } catch (const Error& e) {
        fail(node, shown(node) + " is not a duration", e.hint());
    }
    if (value < Nanoseconds(0)) fail(node, shown(node) + " must not be negative");
    if (value > kLongest) fail(node, shown(node) + " is longer than ten years");
    return value;
}

int64_t read_size(const Node& node) {
    if (node.kind != Kind::integer && node.kind != Kind::number && !node.is_string())
        fail(node, "must be a size such as 512m");
    bool too_large = false;
    std::optional<int64_t> size = parse_size(node.text, &too_large);
    if (too_large) fail(node, shown(node) + " is too large");
    if (!size) fail(node, shown(node) + " is not a size", "write it as 512m or 1.5g");
    return *size;
}

uint32_t read_mode(const Node& node) {
    if (node.kind != Kind::integer && !node.is_string()) fail(node, "must be permissions such as 0440");
    std::string_view text = node.text;
    bool octal = node.is_string() || text.starts_with('0');
    if (text.starts_with("0o")) text.remove_prefix(2);
    int64_t value = 0;
    if (!parse_integer(text, octal ? 8 : 10, value) || value < 0 || value > 07777)
        fail(node, shown(node) + " is not a file mode");
    return static_cast<uint32_t>(value);
}

std::vector<std::string> read_strings(const Node& node, bool numbers) {
    if (!node.is_sequence()) fail(node, "must be a list");
    std::vector<std::string> list;
    for (const Node& item : node.items) list.push_back(numbers ? read_text(item) : read_string(item));
    return list;
}

std::map<std::string, std::string> read_map(const Node& node) {
    if (!node.is_map()) fail(node, "must be a mapping or a list of NAME=value");
    std::map<std::string, std::string> map;
    for (const auto& [key, value] : node.entries) {
        if (!value.is_null() && !value.is_scalar()) fail(value, "must be a string, number, boolean or null");
        map[key] = value.is_null() ? "" : value.text;
    }
    return map;
}

namespace {

/// POSIX quoting without expansion: single quotes, double quotes, backslash.
std::vector<std::string> shell_words(const Node& node) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = '\0';
    const std::string& text = node.text;
    for (size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (quote == '\'' ? c != '\'' : quote == '"' && c != '"' && c != '\\') {
            word += c;
        } else if (c == '\\') {
            if (++i == text.size()) fail(node, shown(node) + " ends with a backslash");
            if (quote == '"' && text[i] != '"' && text[i] != '\\' && text[i] != '$' && text[i] != '`') word += c;
            word += text[i];
            in_word = true;
        } else if (c == quote) {
            quote = '\0';
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
            in_word = true;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            if (in_word) words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote) fail(node, shown(node) + " has no closing quote");
    if (in_word) words.push_back(std::move(word));
    return words;
}

}  // namespace

std::vector<std::string> read_command(const Node& node) {
    if (node.is_sequence()) return read_strings(node);
    if (!node.is_string()) fail(node, "must be a string or a list of strings");
    return shell_words(node);
}

bool is_entry_name(const std::string& text) {
    return !text.empty() && text.size() <= 200 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    });
}

bool is_ipv4(const std::string& text) {
    in_addr address{};
    return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
    in6_addr address{};
    return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool subnet_holds(const std::string& subnet, const std::string& address) {
    const size_t slash = subnet.find('/');
    if (slash == std::string::npos) return false;
    const int family = subnet.find(':') == std::string::npos ? AF_INET : AF_INET6;
    const size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    std::array<uint8_t, sizeof(in6_addr)> base{}, wanted{};
    int64_t bits = 0;
    if (::inet_pton(family, subnet.substr(0, slash).c_str(), base.data()) != 1 ||
        ::inet_pton(family, address.c_str(), wanted.data()) != 1 ||
        !parse_integer(std::string_view(subnet).substr(slash + 1), 10, bits) || bits < 0 ||
        bits > static_cast<int64_t>(size) * 8 - 2) {
        return false;
    }
    // The first address is nobody's, nor is IPv4's last one.
    bool first = true, last = family == AF_INET;
    for (size_t i = 0; i < size; ++i) {
        const int64_t common = std::clamp<int64_t>(bits - static_cast<int64_t>(i) * 8, 0, 8);
        const auto mask = static_cast<uint8_t>(0xff00 >> common);
        if ((base[i] & mask) != (wanted[i] & mask)) return false;
        const auto host = static_cast<uint8_t>(wanted[i] & ~mask);
        first = first && host == 0;
        last = last && host == static_cast<uint8_t>(~mask);
    }
    return !first && !last;
}

bool is_ip(const std::string& text) {
    return is_ipv4(text) || is_ipv6(text);
}

bool is_link_name(const std::string& text) {
    return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%'; });
}

}  // namespace kedge::sources
