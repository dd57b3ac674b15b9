#include "cli/format.h"

#include "base/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <set>

namespace kedge::cli {

using nlohmann::json;

std::string human_size(int64_t bytes) {
    constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    auto size = static_cast<double>(bytes);
    size_t unit = 0;
    while (size >= 1000 && unit + 1 < kUnits.size()) {
        size /= 1000;
        ++unit;
    }
    return fmt::format("{:.3g}{}", size, kUnits[unit]);
}

std::string ago(const std::string& time, WallTime now) {
    return time.empty() ? "" : human_duration(now - parse_time(time)) + " ago";
}

std::string age(const std::string& time, WallTime now) {
    if (time.empty()) return "-";
    int64_t seconds = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - parse_time(time)).count());
    if (seconds < 120) return fmt::format("{}s", seconds);
    if (seconds < 2 * 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < 2 * 86400) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

std::string ports_text(const json& ports) {
    std::set<std::string> texts;
    for (const json& port : ports) {
        std::string inside = fmt::format("{}/{}", number_of(port, "PrivatePort"), text_of(port, "Type"));
        int64_t outside = number_of(port, "PublicPort");
        texts.insert(outside == 0 ? inside : fmt::format("{}:{}->{}", text_of(port, "IP"), outside, inside));
    }
    return fmt::format("{}", fmt::join(texts, ", "));
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

int64_t parse_size(const std::string& text) {
    size_t used = 0;
    double value = -1;
    try {
        value = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;  // reported below
    }
    std::string unit = text.substr(std::min(used, text.size()));
    for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (unit.size() == 2 && unit[1] == 'b') unit.pop_back();
    constexpr std::string_view kUnits = "bkmgtp";
    size_t power = unit.empty() ? 0 : kUnits.find(unit);
    double bytes = value * static_cast<double>(int64_t{1} << (10 * std::min<size_t>(power, 5)));
    if (used == 0 || unit.size() > 1 || power == std::string_view::npos || !(bytes >= 0 && bytes < 9e18)) {
        throw Error(Code::invalid_argument, "invalid size: '" + text + "'", "write it as 512m or 1g");
    }
    return static_cast<int64_t>(bytes);
}

}  // namespace kedge::cli
