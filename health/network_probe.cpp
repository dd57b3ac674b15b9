#include "base/error.h"
#include "health/health.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <set>

namespace kedge::health {

using nlohmann::json;

namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw Error(Code::invalid_argument, std::string(kProbeLabel) + ": " + what);
}

/// A value as it goes into a message: short, whatever it is.
std::string shown(const json& value) {
    std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

int read_number(const json& from, const char* key, int low, int high) {
    const json& value = from.at(key);
    bool in_range = value.is_number_integer() && value >= low && value <= high;
    if (!in_range) refuse(fmt::format("{}: {} is not a number from {} to {}", key, shown(value), low, high));
    return value.get<int>();
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

/// The path is sent as it is in the request's first line.
std::string read_path(const json& value) {
    auto bad = [](char c) { return c == ' ' || is_control(c); };
    bool good = value.is_string();
    std::string path = good ? value.get<std::string>() : std::string();
    good = good && path.starts_with('/') && std::none_of(path.begin(), path.end(), bad);
    if (!good) refuse(fmt::format("path: {} is not a path", shown(value)));
    return path;
}

/// RFC 9110, "Tokens".
bool is_token(const std::string& name) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    auto fits = [&](unsigned char c) {
        return (c < 0x80 && std::isalnum(c)) || kMarks.find(static_cast<char>(c)) != kMarks.npos;
    };
    return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

std::map<std::string, std::string> read_headers(const json& value) {
    if (!value.is_object()) refuse(fmt::format("headers: {} is not an object", shown(value)));
    std::map<std::string, std::string> headers;
    for (const auto& [name, text] : value.items()) {
        if (!is_token(name)) refuse(fmt::format("headers: {} is not a header's name", shown(name)));
        std::string line = text.is_string() ? text.get<std::string>() : std::string();
        bool good = text.is_string() &&
                    std::none_of(line.begin(), line.end(), [](char c) { return is_control(c) && c != '\t'; });
        if (!good) refuse(fmt::format("headers.{}: {} is not a header's value", name, shown(text)));
        headers[name] = line;
    }
    return headers;
}

json parse(const std::string& text) {
    try {
        return json::parse(text);
    } catch (const json::exception& e) {
        refuse(std::string("not JSON: ") + e.what());
    }
}

void check_keys(const json& from, const std::set<std::string>& known) {
    for (const auto& [key, value] : from.items()) {
        if (!known.contains(key)) refuse(fmt::format("unknown key {}", shown(key)));
    }
}

}  // namespace

std::string NetworkProbe::to_label() const {
    json label = {{"kind", kind == Kind::http ? "http" : "tcp"}, {"port", port}};
    if (kind == Kind::http) {
        label["path"] = path;
        label["status_from"] = expected_status_from;
        label["status_to"] = expected_status_to;
        label["headers"] = headers;
    }
    try {
        return label.dump();
    } catch (const json::exception&) {
        refuse("path or headers are not UTF-8");
    }
}

NetworkProbe NetworkProbe::from_label(const std::string& text) {
    json from = parse(text);
    if (!from.is_object()) refuse(shown(from) + " is not an object");
    for (const char* key : {"kind", "port"}) {
        if (!from.contains(key)) refuse(std::string(key) + " is missing");
    }
    NetworkProbe probe;
    if (from["kind"] == "http")
        probe.kind = Kind::http;
    else if (from["kind"] != "tcp")
        refuse(fmt::format("kind: {} is neither \"http\" nor \"tcp\"", shown(from["kind"])));
    probe.port = static_cast<uint16_t>(read_number(from, "port", 1, 65535));
    if (probe.kind == Kind::tcp) {
        check_keys(from, {"kind", "port"});
        return probe;
    }
    check_keys(from, {"kind", "port", "path", "status_from", "status_to", "headers"});
    if (from.contains("path")) probe.path = read_path(from["path"]);
    if (from.contains("status_from")) probe.expected_status_from = read_number(from, "status_from", 100, 599);
    if (from.contains("status_to")) probe.expected_status_to = read_number(from, "status_to", 100, 599);
    if (probe.expected_status_to < probe.expected_status_from) {
        refuse(fmt::format("status_to: {} is less than status_from, {}", probe.expected_status_to,
                           probe.expected_status_from));
    }
    if (from.contains("headers")) probe.headers = read_headers(from["headers"]);
    return probe;
}

}  // namespace kedge::health
