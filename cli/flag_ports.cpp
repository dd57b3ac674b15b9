#include "cli/flag_values.h"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>

#include <charconv>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct Range {
    unsigned first = 0, last = 0;
    unsigned size() const { return last - first + 1; }
};

Error invalid(const std::string& text) {
    return Error(Code::invalid_argument, text);
}

bool read_number(const std::string& text, unsigned& value) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() && end == text.data() + text.size() && !text.empty() && value <= 65535;
}

/// `80` or `80-90`.
bool read_range(const std::string& text, Range& range) {
    size_t dash = text.find('-');
    if (!read_number(text.substr(0, dash), range.first)) return false;
    range.last = range.first;
    return dash == std::string::npos || (read_number(text.substr(dash + 1), range.last) && range.last >= range.first);
}

bool is_address(const std::string& text) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

/// Takes `/udp` off.
std::string take_protocol(std::string& port) {
    size_t slash = port.find('/');
    if (slash == std::string::npos) return "tcp";
    std::string protocol = port.substr(slash + 1);
    port.resize(slash);
    for (char& c : protocol) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") throw invalid("invalid proto: " + protocol);
    return protocol;
}

struct Published {
    std::string ip, host, container;
};

/// The last colon is the container port's, the one before it the host port's; the rest is the address, perhaps in
/// brackets.
Published split_published(const std::string& flag) {
    Published parts;
    size_t last = flag.rfind(':');
    parts.container = last == std::string::npos ? flag : flag.substr(last + 1);
    if (last == std::string::npos) return parts;
    std::string before = flag.substr(0, last);
    size_t colon = before.rfind(':');
    parts.host = colon == std::string::npos ? before : before.substr(colon + 1);
    if (colon == std::string::npos) return parts;
    parts.ip = before.substr(0, colon);
    if (parts.ip.starts_with('[') && parts.ip.ends_with(']')) parts.ip = parts.ip.substr(1, parts.ip.size() - 2);
    return parts;
}

void put_published_port(const std::string& flag, json& body) {
    Published parts = split_published(flag);
    if (!parts.ip.empty() && !is_address(parts.ip)) throw invalid("invalid IP address: " + parts.ip);
    std::string protocol = take_protocol(parts.container);
    if (protocol == "sctp") throw invalid("sctp is not supported yet");
    if (parts.container.empty()) throw invalid("no port specified: " + flag + "<empty>");
    Range inside, outside;
    if (!read_range(parts.container, inside) || inside.first == 0)
        throw invalid("invalid containerPort: " + parts.container);
    if (!parts.host.empty() && !read_range(parts.host, outside)) throw invalid("invalid hostPort: " + parts.host);
    if (!parts.host.empty() && outside.size() != inside.size()) {
        if (inside.size() > 1) {
            throw invalid("invalid ranges specified for container and host Ports: " + parts.container + " and " +
                          parts.host);
        }
        throw invalid("a range of host ports for one container port is not supported yet: " + flag);
    }
    for (unsigned i = 0; i < inside.size(); ++i) {
        std::string key = std::to_string(inside.first + i) + "/" + protocol;
        std::string host_port = parts.host.empty() ? "" : std::to_string(outside.first + i);
        body["ExposedPorts"][key] = json::object();
        body["HostConfig"]["PortBindings"][key].push_back({{"HostIp", parts.ip}, {"HostPort", host_port}});
    }
}

}  // namespace

void put_published_ports(const std::vector<std::string>& flags, json& body) {
    for (const std::string& flag : flags) put_published_port(flag, body);
}

void put_exposed_ports(const std::vector<std::string>& flags, json& body) {
    for (const std::string& flag : flags) {
        if (flag.find(':') != std::string::npos) throw invalid("invalid port format for --expose: " + flag);
        std::string port = flag;
        std::string protocol = take_protocol(port);
        Range range;
        if (!read_range(port, range) || range.first == 0) throw invalid("invalid range format for --expose: " + flag);
        for (unsigned i = range.first; i <= range.last; ++i)
            body["ExposedPorts"][std::to_string(i) + "/" + protocol] = json::object();
    }
}

}  // namespace kedge::cli
