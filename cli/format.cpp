#include "cli/format.h"

#include "base/error.h"
#include "base/size.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

namespace kedge::cli {

using nlohmann::json;

std::string human_size(int64_t bytes, int digits) {
    constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    auto size = static_cast<double>(bytes);
    size_t unit = 0;
    const double limit = digits > 3 ? 999.95 : 999.5;  // what would be rounded to 1000
    while (size >= limit && unit + 1 < kUnits.size()) {
        size /= 1000;
        ++unit;
    }
    return fmt::format("{:.{}g}{}", size, digits, kUnits[unit]);
}

std::string ago(const std::string& time, WallTime now) {
    return time.empty() ? "" : human_duration(now - parse_time(time)) + " ago";
}

std::string age(const std::string& time, WallTime now) {
    if (time.empty()) return "-";
    int64_t seconds =
        std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - parse_time(time)).count());
    if (seconds < 120) return fmt::format("{}s", seconds);
    if (seconds < 2 * 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < 2 * 86400) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

namespace {

/// As it stands before a colon.
std::string in_brackets(const std::string& address) {
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

}  // namespace

std::string ports_text(const json& ports) {
    using Port = std::tuple<int64_t, std::string, int64_t, std::string>;  // inside, address, outside, protocol
    std::set<Port> sorted;
    for (const json& port : ports)
        sorted.emplace(number_of(port, "PrivatePort"), text_of(port, "IP"), number_of(port, "PublicPort"),
                       text_of(port, "Type"));
    struct Range {
        std::string address, protocol;
        int64_t first, last;
        std::string text() const {
            std::string numbers = first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
            if (!address.empty()) numbers = fmt::format("{}:{}->{}", in_brackets(address), numbers, numbers);
            return numbers + "/" + protocol;
        }
    };
    std::vector<Range> open;  // the last one of each address and protocol
    std::vector<std::string> texts, moved;
    for (const auto& [inside, address, outside, protocol] : sorted) {
        if (outside != 0 && outside != inside) {
            moved.push_back(fmt::format("{}:{}->{}/{}", in_brackets(address), outside, inside, protocol));
            continue;
        }
        const std::string shown = outside == 0 ? "" : address;
        auto same = [&, &type = protocol](const Range& r) { return r.address == shown && r.protocol == type; };
        auto range = std::find_if(open.begin(), open.end(), same);
        if (range == open.end()) {
            open.push_back({shown, protocol, inside, inside});
        } else if (inside == range->last + 1) {
            range->last = inside;
        } else {
            texts.push_back(range->text());
            range->first = range->last = inside;
        }
    }
    for (const Range& range : open) texts.push_back(range.text());
    texts.insert(texts.end(), moved.begin(), moved.end());
    return fmt::format("{}", fmt::join(texts, ", "));
}

std::string container_names(const json& container) {
    std::string text;
    for (const json& name : container.value("Names", json::array())) {
        std::string plain = name.get<std::string>();
        if (plain.starts_with("/")) plain.erase(0, 1);
        text += (text.empty() ? "" : ",") + plain;
    }
    return text;
}

std::string published_lines(const json& ports, const std::string& wanted) {
    std::vector<std::pair<int, std::string>> inner;
    for (const auto& [inside, bindings] : ports.items()) {
        if (!wanted.empty() && inside != wanted) continue;
        int number = 0;
        (void)std::from_chars(inside.data(), inside.data() + inside.size(), number);
        inner.emplace_back(number, inside);
    }
    std::sort(inner.begin(), inner.end());
    std::string lines;
    for (const auto& [number, inside] : inner) {
        for (const json& binding : ports.at(inside)) {
            const std::string address = in_brackets(text_of(binding, "HostIp"));
            if (wanted.empty()) lines += inside + " -> ";
            lines += address + ":" + text_of(binding, "HostPort") + "\n";
        }
    }
    return lines;
}

std::string short_id(const std::string& id) {
    size_t colon = id.find(':');
    return id.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

std::string truncated(const std::string& text, size_t width) {
    size_t count = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        if ((text[i] & 0xc0) == 0x80) continue;
        if (++count < width) continue;
        size_t end = i + 1;
        while (end < text.size() && (text[end] & 0xc0) == 0x80) ++end;
        return end == text.size() ? text : text.substr(0, i) + "…";
    }
    return text;
}

std::string text_of(const json& object, const char* key) {
    auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t number_of(const json& object, const char* key) {
    auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<int64_t>() : 0;
}

std::string labels_text(const json& labels) {
    std::string text;
    if (!labels.is_object()) return text;
    for (const auto& [name, value] : labels.items())
        text += (text.empty() ? "" : ",") + name + "=" + value.get<std::string>();
    return text;
}

int64_t size_of(const std::string& text) {
    std::optional<int64_t> size = parse_size(text);
    if (!size || text.find(' ') != std::string::npos)
        throw Error(Code::invalid_argument, "invalid size: '" + text + "'", "write it as 512m or 1g");
    return *size;
}

namespace {

Error not_a_time(const std::string& text) {
    return Error(Code::invalid_argument, "failed to parse value as time or duration: \"" + text + "\"",
                 "write it as 10m, 2026-01-02T15:04:05Z or seconds since 1970");
}

/// Local date and time whose end may be missing; nullopt if it is none.
std::optional<WallTime> local_date(const std::string& text) {
    for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"}) {
        std::tm parts{};
        const char* rest = ::strptime(text.c_str(), format, &parts);
        if (!rest || (*rest != '\0' && *rest != '.')) continue;
        parts.tm_isdst = -1;
        std::time_t seconds = std::mktime(&parts);
        int64_t fraction = 0, unit = 100'000'000;
        if (*rest == '.') ++rest;
        for (; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10) fraction += (*rest - '0') * unit;
        if (*rest == '\0') return WallTime(std::chrono::seconds(seconds) + Nanoseconds(fraction));
    }
    return std::nullopt;
}

bool are_seconds(const std::string& text) {
    return text.find_first_not_of("0123456789.") == std::string::npos &&
           std::count(text.begin(), text.end(), '.') <= 1 && text.front() != '.';
}

}  // namespace

std::string time_parameter(const std::string& text, WallTime now) {
    if (text.empty() || are_seconds(text)) return text;
    WallTime time;
    try {
        if (std::optional<WallTime> date = local_date(text))
            time = *date;
        else if (text.find(':') != std::string::npos || text.find('-', 1) != std::string::npos)
            time = parse_time(text);
        else
            time = now - parse_duration(text);
    } catch (const Error&) {
        throw not_a_time(text);
    }
    int64_t nanoseconds = std::max<int64_t>(time.time_since_epoch().count(), 0);
    return fmt::format("{}.{:09}", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
}

namespace {

std::tm local_parts(std::time_t seconds) {
    std::tm parts{};
    (void)::localtime_r(&seconds, &parts);  // fails only for years beyond all int
    return parts;
}

std::string with_format(const std::tm& parts, const char* format) {
    char text[64];
    return {text, std::strftime(text, sizeof text, format, &parts)};
}

/// `Z`, or `+01:00`.
std::string offset_of(const std::tm& parts) {
    const std::string offset = with_format(parts, "%z");
    return offset == "+0000" ? "Z" : offset.substr(0, 3) + ":" + offset.substr(3);
}

}  // namespace

std::string local_time(int64_t nanoseconds) {
    const std::tm parts = local_parts(nanoseconds / 1'000'000'000);
    return fmt::format("{}.{:09}{}", with_format(parts, "%Y-%m-%dT%H:%M:%S"), nanoseconds % 1'000'000'000,
                       offset_of(parts));
}

std::string local_seconds(WallTime time) {
    const std::tm parts = local_parts(std::chrono::system_clock::to_time_t(time));
    return with_format(parts, "%Y-%m-%dT%H:%M:%S") + offset_of(parts);
}

std::string go_time(WallTime time) {
    const std::tm parts = local_parts(std::chrono::system_clock::to_time_t(time));
    std::string fraction = fmt::format(".{:09}", time.time_since_epoch().count() % 1'000'000'000);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return with_format(parts, "%Y-%m-%d %H:%M:%S") + (fraction == "." ? "" : fraction) + with_format(parts, " %z %Z");
}

std::string go_quoted(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        switch (c) {
            case '"': quoted += "\\\""; break;
            case '\\': quoted += "\\\\"; break;
            case '\n': quoted += "\\n"; break;
            case '\r': quoted += "\\r"; break;
            case '\t': quoted += "\\t"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                    quoted += fmt::format("\\x{:02x}", c);
                else
                    quoted += c;
        }
    }
    return quoted + "\"";
}

}  // namespace kedge::cli
