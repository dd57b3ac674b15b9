#include "runtime/networks/endpoint_options.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kedge::runtime {

namespace {

constexpr size_t kLongestName = 15;  // IFNAMSIZ without its zero

bool is_word(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

bool is_link_name(const std::string& text) {
    const bool odd = std::any_of(text.begin(), text.end(),
                                 [](char c) { return c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%'; });
    return !text.empty() && text.size() <= kLongestName && !odd && text != "." && text != ".." && text != "lo";
}

/// `net.ipv4.conf.IFNAME.log_martians=1`; nothing else of /proc/sys can be named so.
std::pair<std::string, std::string> parse_setting(const std::string& text) {
    const size_t equals = text.find('=');
    const std::vector<std::string> parts = split(text.substr(0, equals), '.');
    auto one_of = [](const std::string& word, std::initializer_list<const char*> words) {
        return std::any_of(words.begin(), words.end(), [&](const char* w) { return word == w; });
    };
    const bool good = equals != std::string::npos && equals + 1 < text.size() && parts.size() == 5 &&
                      parts[0] == "net" && one_of(parts[1], {"ipv4", "ipv6", "mpls"}) &&
                      one_of(parts[2], {"conf", "neigh"}) && parts[3] == "IFNAME" && is_word(parts[4]);
    if (!good) {
        throw Error(Code::invalid_argument, "invalid endpoint sysctl \"" + text + "\"",
                    "it is net.ipv4.conf.IFNAME.NAME=VALUE or the like, with IFNAME as it stands here");
    }
    return {parts[1] + "/" + parts[2] + "/IFNAME/" + parts[4], text.substr(equals + 1)};
}

}  // namespace

std::optional<MacAddress> parse_mac(const std::string& text) {
    MacAddress mac{};
    if (text.size() != 17) return {};
    for (size_t i = 0; i < mac.size(); ++i) {
        const char* at = text.data() + 3 * i;
        auto [rest, failure] = std::from_chars(at, at + 2, mac[i], 16);
        if (failure != std::errc() || rest != at + 2) return {};
        if (i + 1 < mac.size() && (at[2] != text[2] || (at[2] != ':' && at[2] != '-'))) return {};
    }
    const bool group = (mac[0] & 1) != 0, none = mac == MacAddress{};
    return group || none ? std::nullopt : std::optional(mac);
}

std::string to_string(const MacAddress& mac) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

EndpointOptions parse_endpoint_options(const std::map<std::string, std::string>& options) {
    EndpointOptions parsed;
    for (const auto& [name, value] : options) {
        if (name == "com.docker.network.endpoint.ifname") {
            if (!is_link_name(value))
                throw Error(Code::invalid_argument, "invalid value for " + name + ": \"" + value + "\"");
            parsed.interface = value;
        } else if (name == "com.docker.network.endpoint.sysctls") {
            for (const std::string& setting : split(value, ',')) parsed.settings.push_back(parse_setting(setting));
        } else {
            throw Error(Code::invalid_argument, "endpoint driver option " + name + " is not supported");
        }
    }
    return parsed;
}

}  // namespace kedge::runtime
