#include "runtime/images.h"

#include "base/error.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>

namespace kedge::runtime {

namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxTag = 128;
constexpr std::string_view kOfficial = "library/";

bool is_lower(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_alphanumeric(char c) {
    return is_lower(c) || is_upper(c);
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Error invalid(std::string_view detail = {}) {
    return Error(Code::invalid_argument, "invalid reference format" + std::string(detail));
}

/// host[:port]: labels of letters, digits and inner hyphens joined by dots, or an IPv6 address in brackets.
bool is_registry(std::string_view text) {
    std::string_view host = text;
    size_t port = text.find(':', text.starts_with('[') ? text.find(']') : 0);
    if (port != std::string_view::npos) {
        std::string_view digits = text.substr(port + 1);
        if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return false;
        host = text.substr(0, port);
    }
    if (host.starts_with('[')) {
        if (host.size() < 4 || !host.ends_with(']')) return false;
        std::string_view address = host.substr(1, host.size() - 2);
        return std::all_of(address.begin(), address.end(), [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
        });
    }
    while (true) {
        size_t dot = host.find('.');
        std::string_view label = host.substr(0, dot);
        if (label.empty() || label.front() == '-' || label.back() == '-') return false;
        if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; }))
            return false;
        if (dot == std::string_view::npos) return true;
        host.remove_prefix(dot + 1);
    }
}

/// Lower-case letters and digits, separated by one dot, one or two underscores, or any number of hyphens.
bool is_path_component(std::string_view text) {
    if (text.empty() || !is_lower(text.front()) || !is_lower(text.back())) return false;
    for (size_t i = 0; i < text.size();) {
        if (is_lower(text[i])) {
            ++i;
            continue;
        }
        size_t end = i;
        while (end < text.size() && text[end] == text[i]) ++end;
        size_t most = text[i] == '.' ? 1 : text[i] == '_' ? 2 : text[i] == '-' ? end - i : 0;
        if (end - i > most || !is_lower(text[end]))
            return false;  // the last character is none of these, so end is inside
        i = end;
    }
    return true;
}

bool is_path(std::string_view text) {
    while (true) {
        size_t slash = text.find('/');
        if (!is_path_component(text.substr(0, slash))) return false;
        if (slash == std::string_view::npos) return true;
        text.remove_prefix(slash + 1);
    }
}

bool is_tag(std::string_view text) {
    if (text.empty() || text.size() > kMaxTag || text.front() == '.' || text.front() == '-') return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

/// Takes the registry off the front of `rest`, if it begins with one.
std::string take_registry(std::string_view& rest) {
    size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return std::string(kDefaultRegistry);
    std::string_view first = rest.substr(0, slash);
    bool is_host = first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
                   std::any_of(first.begin(), first.end(), is_upper);
    if (!is_host) return std::string(kDefaultRegistry);
    rest.remove_prefix(slash + 1);
    // An old name of the default registry that lives on in scripts.
    if (first == "index." + std::string(kDefaultRegistry)) return std::string(kDefaultRegistry);
    return std::string(first);
}

bool is_image_id(std::string_view text) {
    return text.size() == 64 &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Reference Reference::parse(const std::string& text) {
    if (is_image_id(text)) {
        throw Error(Code::invalid_argument,
                    "invalid repository name (" + text + "), cannot specify 64-byte hexadecimal strings");
    }
    Reference reference;
    std::string_view rest = text;
    if (size_t at = rest.find('@'); at != std::string_view::npos) {
        try {
            reference.digest = Digest::parse(rest.substr(at + 1));
        } catch (const Error&) {
            throw invalid();
        }
        rest = rest.substr(0, at);
    }
    reference.registry = take_registry(rest);
    if (size_t colon = rest.find(':'); colon != std::string_view::npos) {
        reference.tag = rest.substr(colon + 1);
        rest = rest.substr(0, colon);
        if (!is_tag(reference.tag)) throw invalid();
    } else if (reference.digest.empty()) {
        reference.tag = "latest";
    }
    if (std::any_of(rest.begin(), rest.end(), is_upper)) {
        bool short_name = reference.registry == kDefaultRegistry && rest.find('/') == std::string_view::npos;
        throw invalid(": repository name (" + std::string(short_name ? "library/" : "") + std::string(rest) +
                      ") must be lowercase");
    }
    if (!is_registry(reference.registry) || !is_path(rest)) throw invalid();
    reference.path = rest;
    if (reference.registry == kDefaultRegistry && rest.find('/') == std::string_view::npos) {
        reference.path.insert(0, kOfficial);
    }
    if (reference.registry.size() + 1 + reference.path.size() > kMaxName) {
        throw Error(Code::invalid_argument, "repository name must not be more than 255 characters");
    }
    return reference;
}

std::string Reference::full() const {
    std::string text = registry + "/" + path;
    if (!tag.empty()) text += ":" + tag;
    if (!digest.empty()) text += "@" + digest.str();
    return text;
}

std::string Reference::familiar() const {
    std::string text = full();
    if (registry != kDefaultRegistry) return text;
    text.erase(0, registry.size() + 1);
    if (path.starts_with(kOfficial) && path.find('/', kOfficial.size()) == std::string::npos)
        text.erase(0, kOfficial.size());
    return text;
}

namespace {

/// The many names of processors, as Go calls them (OCI image-spec, image-index.md, "Platform Variants").
void normalise(Platform& platform) {
    static constexpr std::array<std::array<std::string_view, 3>, 9> kNames{{
        {"x86_64", "amd64", ""},
        {"x86-64", "amd64", ""},
        {"aarch64", "arm64", ""},
        {"i386", "386", ""},
        {"i686", "386", ""},
        {"armhf", "arm", "v7"},
        {"armel", "arm", "v6"},
        {"armv7l", "arm", "v7"},
        {"armv6l", "arm", "v6"},
    }};
    for (const auto& [other, name, variant] : kNames) {
        if (platform.architecture != other) continue;
        platform.architecture = name;
        if (platform.variant.empty()) platform.variant = variant;
        break;
    }
    if (platform.architecture == "arm64" && (platform.variant == "v8" || platform.variant == "8"))
        platform.variant.clear();
    if (platform.architecture == "amd64" && platform.variant == "v1") platform.variant.clear();
    if (platform.architecture == "arm" && platform.variant.size() == 1) platform.variant.insert(0, "v");
    if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
}

bool is_platform_word(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '-' || c == '.';
    });
}

}  // namespace

Platform Platform::parse(const std::string& text) {
    Error bad(Code::invalid_argument, "\"" + text + "\" is not a platform: os/architecture[/variant] is expected");
    size_t slash = text.find('/');
    if (slash == std::string::npos) throw bad;
    size_t second = text.find('/', slash + 1);
    Platform platform;
    platform.os = text.substr(0, slash);
    platform.architecture = text.substr(slash + 1, second == std::string::npos ? second : second - slash - 1);
    if (second != std::string::npos) {
        platform.variant = text.substr(second + 1);
        if (!is_platform_word(platform.variant)) throw bad;
    }
    if (!is_platform_word(platform.os) || !is_platform_word(platform.architecture)) throw bad;
    for (std::string* word : {&platform.os, &platform.architecture, &platform.variant}) {
        for (char& c : *word) c = is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
    }
    normalise(platform);
    return platform;
}

Platform Platform::host() {
    utsname names{};
    if (::uname(&names) != 0) throw_errno("uname");
    Platform platform;
    platform.architecture = names.machine;
    normalise(platform);
    return platform;
}

std::string Platform::str() const {
    return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

}  // namespace kedge::runtime
