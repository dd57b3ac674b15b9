#include "runtime/images/registry_url.h"

#include "base/error.h"
#include "base/loopback.h"
#include "runtime/engine.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kedge::runtime {

namespace {

Error not_an_address(const char* why) {
    return Error(Code::invalid_argument, std::string("not a usable http address: ") + why);
}

int parse_port(std::string_view digits) {
    int port = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535) {
        throw not_an_address("its port is not a number from 1 to 65535");
    }
    return port;
}

bool is_host(std::string_view host) {
    return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':';
    });
}

void set_authority(Url& url, std::string_view authority) {
    if (authority.find('@') != std::string_view::npos) throw not_an_address("it holds a user name");
    url.port = url.tls ? 443 : 80;
    std::string_view host = authority;
    if (authority.starts_with('[')) {
        size_t end = authority.find(']');
        if (end == std::string_view::npos) throw not_an_address("its host has no closing bracket");
        host = authority.substr(1, end - 1);
        std::string_view rest = authority.substr(end + 1);
        if (rest.starts_with(':'))
            url.port = parse_port(rest.substr(1));
        else if (!rest.empty())
            throw not_an_address("something follows its host");
    } else if (size_t colon = authority.find(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        if (host.empty() || authority.find(':', colon + 1) != std::string_view::npos)
            throw not_an_address("its host is malformed");
        url.port = parse_port(authority.substr(colon + 1));
    }
    if (!is_host(host)) throw not_an_address("its host is malformed");
    url.host = host;
    std::transform(url.host.begin(), url.host.end(), url.host.begin(), [](unsigned char c) { return std::tolower(c); });
}

void set_target(Url& url, std::string_view target) {
    target = target.substr(0, target.find('#'));
    // It goes into the request line as it is.
    bool clean = std::all_of(target.begin(), target.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
    if (!clean) throw not_an_address("it holds a space or control character");
    url.target.clear();
    if (!target.starts_with('/')) url.target.push_back('/');
    url.target.append(target);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (text.size() < prefix.size()) return false;
    for (size_t i = 0; i < prefix.size(); ++i) {
        if (std::tolower(static_cast<unsigned char>(text[i])) != prefix[i]) return false;
    }
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

Url Url::parse(std::string_view text) {
    Url url;
    if (take_prefix(text, "https://"))
        url.tls = true;
    else if (take_prefix(text, "http://"))
        url.tls = false;
    else
        throw not_an_address("it begins with neither https:// nor http://");
    size_t end = std::min(text.find_first_of("/?#"), text.size());
    set_authority(url, text.substr(0, end));
    set_target(url, text.substr(end));
    return url;
}

Url Url::resolve(std::string_view location) const {
    if (location.starts_with("//")) return parse(std::string(tls ? "https:" : "http:").append(location));
    size_t colon = location.find(':');
    if (colon != std::string_view::npos && colon < location.find_first_of("/?#")) return parse(location);
    Url url = *this;
    std::string path = target.substr(0, target.find('?'));
    if (location.starts_with('/'))
        set_target(url, location);
    else if (location.starts_with('?'))
        set_target(url, path + std::string(location));
    else
        set_target(url, path.substr(0, path.rfind('/') + 1) + std::string(location));
    return url;
}

std::string Url::authority() const {
    std::string text = host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
    if (port != (tls ? 443 : 80)) text += fmt::format(":{}", port);
    return text;
}

bool Url::same_origin(const Url& other) const {
    return tls == other.tls && host == other.host && port == other.port;
}

bool is_insecure(const RegistrySettings& settings, const std::string& authority) {
    return std::find(settings.insecure.begin(), settings.insecure.end(), authority) != settings.insecure.end();
}

Url registry_base(const RegistrySettings& settings, const std::string& name) {
    try {
        if (name.find("://") != std::string::npos) {
            Url url = Url::parse(name);
            if (!url.tls && !is_loopback(url.host) && !is_insecure(settings, url.authority())) {
                throw Error(Code::invalid_argument, "it is not configured as insecure, so it must be https");
            }
            return url;
        }
        Url url;
        set_authority(url, name);
        bool plain = is_loopback(url.host) || is_insecure(settings, name);
        if (settings.ca_files.contains(name) || !plain) return url;
        url.tls = false;
        set_authority(url, name);
        return url;
    } catch (const Error& e) {
        throw e.with_context("registry " + name);
    }
}

std::string query_escape(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string escaped;
    for (unsigned char c : text) {
        if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
            escaped += static_cast<char>(c);
        } else {
            escaped += '%';
            escaped += kDigits[c >> 4];
            escaped += kDigits[c & 15];
        }
    }
    return escaped;
}

}  // namespace kedge::runtime
