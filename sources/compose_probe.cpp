#include "sources/compose_keys.h"
#include "sources/compose_load.h"

#include <fmt/format.h>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

int read_port_number(const Node& node, const std::string& text) {
    Node number = yaml::string_node(node, text);
    return static_cast<int>(read_integer(number, 1, 65535));
}

std::string read_path(const Node& node, const std::string& path) {
    if (!path.starts_with('/')) fail(node, fmt::format("\"{}\" is not a path", path));
    // The path is sent as it is in the request's first line.
    for (char c : path) {
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f)
            fail(node, fmt::format("\"{}\" has blanks or control characters", path));
    }
    return path;
}

/// `http://:8080/health`: the host is always the container itself.
void read_url(const Node& node, Probe& probe) {
    constexpr std::string_view prefix = "http://";
    std::string text = read_string(node);
    if (!text.starts_with(prefix))
        fail(node, fmt::format("\"{}\" is not an address such as http://:8080/health", text));
    text.erase(0, prefix.size());
    size_t slash = text.find('/');
    std::string host = text.substr(0, slash);
    if (slash != std::string::npos) probe.path = read_path(node, text.substr(slash));
    size_t colon = host.find(':');
    std::string name = host.substr(0, colon);
    if (!name.empty() && name != "localhost" && name != "127.0.0.1") {
        fail(node, fmt::format("\"{}\": a probe asks the service's own container, not other hosts", name));
    }
    probe.port =
        colon == std::string::npos ? 80 : static_cast<uint16_t>(read_port_number(node, host.substr(colon + 1)));
}

/// 200 or `200-399`.
void read_status(const Node& node, Probe& probe) {
    std::string text = read_text(node);
    size_t dash = text.find('-');
    probe.status_from = static_cast<int>(read_integer(yaml::string_node(node, text.substr(0, dash)), 100, 599));
    probe.status_to =
        dash == std::string::npos
            ? probe.status_from
            : static_cast<int>(read_integer(yaml::string_node(node, text.substr(dash + 1)), probe.status_from, 599));
}

void read_http(const Node& node, Probe& probe) {
    if (!node.is_map()) return read_url(node, probe);
    check_keys(node, keys::kedge_http);
    const Node* port = node.find("port");
    if (!port) fail(node, "port is missing");
    probe.port = static_cast<uint16_t>(read_integer(*port, 1, 65535));
    with(node, "path", [&](const Node& value) { probe.path = read_path(value, read_string(value)); });
    with(node, "status", [&](const Node& value) { read_status(value, probe); });
    with(node, "headers", [&](const Node& value) {
        probe.headers = read_map(value);
        for (const auto& [name, text] : probe.headers) {
            // They are written into the request as they are.
            bool bad =
                name.find_first_of(" :\r\n\t") != std::string::npos || text.find_first_of("\r\n") != std::string::npos;
            if (bad) fail(value, fmt::format("\"{}\" is not a header", name));
        }
    });
}

}  // namespace

std::optional<Probe> read_probe(const Node& node) {
    check_keys(node, keys::kedge);
    const Node* value = node.find("probe");
    if (!value) return std::nullopt;
    check_keys(*value, keys::kedge_probe);
    const Node* http = value->find("http");
    const Node* tcp = value->find("tcp");
    if (!http == !tcp) fail(*value, "needs either http or tcp");
    Probe probe;
    probe.kind = http ? "http" : "tcp";
    if (http) {
        read_http(*http, probe);
    } else {
        probe.port = static_cast<uint16_t>(read_integer(*tcp, 1, 65535));
    }
    return probe;
}

}  // namespace kedge::sources
