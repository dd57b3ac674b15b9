#include "sources/compose_ports.h"

#include "sources/compose_keys.h"
#include "sources/compose_read.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

struct Range {
    uint16_t first = 0, last = 0;
    int count() const { return last - first + 1; }
};

std::optional<uint16_t> port_number(std::string_view text) {
    uint16_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Range> port_range(std::string_view text) {
    size_t dash = text.find('-');
    auto first = port_number(text.substr(0, dash));
    auto last = dash == std::string_view::npos ? first : port_number(text.substr(dash + 1));
    if (!first || !last || *last < *first || *first == 0) return std::nullopt;
    return Range{*first, *last};
}

[[noreturn]] void not_a_port(const Node& node) {
    fail(node, fmt::format("\"{}\" is not a port", node.text.substr(0, 200)),
         "write it as 8080:80, 127.0.0.1:8080:80, [::1]:8080:80 or 8080:80/udp");
}

std::string read_host_ip(const Node& node, const std::string& text) {
    if (!is_ip(text)) fail(node, fmt::format("\"{}\" is not an IP address", text));
    return text;
}

/// An entry as it is written, its ranges not yet spread.
struct Entry {
    Port like;
    Range target;
    std::optional<Range> published;
};

std::string read_protocol(const Node& node, const std::string& text) {
    std::string protocol = text;
    for (char& c : protocol) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (protocol == "tcp" || protocol == "udp") return protocol;
    if (protocol == "sctp") fail(node, "the protocol sctp is not supported yet");
    fail(node, fmt::format("\"{}\" is not a protocol", text.substr(0, 50)));
}

Entry read_short(const Node& node) {
    std::string text = read_text(node);
    Port port;
    if (size_t slash = text.find('/'); slash != std::string::npos) {
        port.protocol = read_protocol(node, text.substr(slash + 1));
        text.resize(slash);
    }
    size_t last = text.rfind(':');
    auto target = port_range(last == std::string::npos ? text : text.substr(last + 1));
    if (!target) not_a_port(node);
    if (last == std::string::npos) return {port, *target, std::nullopt};

    std::string host = text.substr(0, last);
    size_t colon = host.rfind(':');
    if (colon != std::string::npos) {
        port.host_ip = host.substr(0, colon);
        if (port.host_ip.starts_with('[') && port.host_ip.ends_with(']'))
            port.host_ip = port.host_ip.substr(1, port.host_ip.size() - 2);
        if (!port.host_ip.empty()) port.host_ip = read_host_ip(node, port.host_ip);
        host = host.substr(colon + 1);
    }
    if (host.empty() || host == "0") {
        if (colon == std::string::npos && host.empty()) not_a_port(node);
        return {port, *target, std::nullopt};
    }
    auto published = port_range(host);
    if (!published) not_a_port(node);
    return {port, *target, published};
}

Entry read_long(const Node& node) {
    check_keys(node, keys::port);
    Port port;
    with(node, "protocol", [&](const Node& value) { port.protocol = read_protocol(value, read_string(value)); });
    with(node, "host_ip", [&](const Node& value) { port.host_ip = read_host_ip(value, read_string(value)); });
    // Both modes publish on this one machine; a name and an application protocol are for people.
    with(node, "mode", [](const Node& value) { read_one_of(value, {"host", "ingress"}); });
    with(node, "name", [](const Node& value) { read_string(value); });
    with(node, "app_protocol", [](const Node& value) { read_string(value); });
    const Node* target = node.find("target");
    if (!target) fail(node, "target is missing");
    auto container = static_cast<uint16_t>(read_integer(*target, 1, 65535));
    std::optional<Range> published;
    with(node, "published", [&](const Node& value) {
        std::string text = read_text(value);
        if (text == "0" || text.empty()) return;
        published = port_range(text);
        if (!published) not_a_port(value);
    });
    return {port, {container, container}, published};
}

Entry read_entry(const Node& node) {
    if (node.is_map()) return read_long(node);
    if (!node.is_scalar()) fail(node, "must be a string, number or mapping");
    return read_short(node);
}

}  // namespace

std::vector<Port> read_port(const Node& node) {
    auto [like, target, published] = read_entry(node);
    if (published && target.count() > 1 && published->count() != target.count()) {
        fail(node, fmt::format("\"{}\": the ranges differ in length", node.text));
    }
    std::vector<Port> ports;
    for (int i = 0; i < target.count(); ++i) {
        Port& port = ports.emplace_back(like);
        port.target = static_cast<uint16_t>(target.first + i);
        if (!published) continue;
        // A range for a single container port: any free one of it.
        bool any = target.count() == 1 && published->count() > 1;
        port.published = static_cast<uint16_t>(published->first + i);
        if (any) port.published_last = published->last;
    }
    return ports;
}

void check_expose(const Node& node) {
    if (!node.is_sequence()) fail(node, "must be a list");
    for (const Node& item : node.items) {
        if (read_text(item).find(':') != std::string::npos) not_a_port(item);
        (void)read_short(item);
    }
}

std::string port_identity(const Node& node) {
    auto [like, target, published] = read_entry(node);
    Range host = published.value_or(Range{});
    return fmt::format("{}:{}-{}:{}-{}/{}", like.host_ip, host.first, host.last, target.first, target.last,
                       like.protocol);
}

}  // namespace kedge::sources
