#include "base/clock.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <utility>

namespace kedge {

using namespace std::chrono;

namespace {

[[noreturn]] void not_a_time(std::string_view text) {
    throw Error(Code::invalid_argument, fmt::format("\"{}\" is not an RFC 3339 time", text));
}

/// `count` digits at the start of `text`, which is shortened by them.
int take_digits(std::string_view whole, std::string_view& text, size_t count) {
    if (text.size() < count) not_a_time(whole);
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') not_a_time(whole);
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

void take_char(std::string_view whole, std::string_view& text, std::string_view allowed) {
    if (text.empty() || allowed.find(text[0]) == std::string_view::npos) not_a_time(whole);
    text.remove_prefix(1);
}

}  // namespace

WallTime wall_now() {
    return time_point_cast<nanoseconds>(system_clock::now());
}

std::string format_time(WallTime time) {
    if (time == WallTime{}) return "0001-01-01T00:00:00Z";
    auto whole = floor<seconds>(time);
    std::time_t stamp = system_clock::to_time_t(time_point_cast<system_clock::duration>(whole));
    std::tm parts{};
    ::gmtime_r(&stamp, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (time - whole).count());
}

WallTime from_unix(int64_t seconds_since_epoch) {
    constexpr int64_t kFirst = -2'208'988'800, kLast = 6'942'585'599;  // as for parse_time
    return WallTime(seconds(std::clamp(seconds_since_epoch, kFirst, kLast)));
}

WallTime parse_time(std::string_view text) {
    if (text == "0001-01-01T00:00:00Z") return {};
    std::string_view rest = text;
    int y = take_digits(text, rest, 4);
    take_char(text, rest, "-");
    int mo = take_digits(text, rest, 2);
    take_char(text, rest, "-");
    int d = take_digits(text, rest, 2);
    take_char(text, rest, "Tt ");
    int h = take_digits(text, rest, 2);
    take_char(text, rest, ":");
    int mi = take_digits(text, rest, 2);
    take_char(text, rest, ":");
    int s = take_digits(text, rest, 2);
    year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
    if (!date.ok() || h > 23 || mi > 59 || s > 60) not_a_time(text);
    // Nanoseconds reach from 1677 to 2262. Images, commits and callers may say any year: a narrower range keeps
    // differences whole too.
    date = year_month_day(std::clamp(date.year(), year(1900), year(2189)), date.month(), date.day());
    WallTime time = sys_days(date) + hours(h) + minutes(mi) + seconds(s);
    if (!rest.empty() && rest[0] == '.') {
        rest.remove_prefix(1);
        int64_t unit = 100'000'000;
        if (rest.empty() || rest[0] < '0' || rest[0] > '9') not_a_time(text);
        for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), unit /= 10) {
            time += nanoseconds((rest[0] - '0') * unit);
        }
    }
    if (rest == "Z" || rest == "z") return time;
    if (rest.size() != 6) not_a_time(text);
    int sign = rest[0] == '-' ? -1 : 1;
    take_char(text, rest, "+-");
    int oh = take_digits(text, rest, 2);
    take_char(text, rest, ":");
    int om = take_digits(text, rest, 2);
    return time - sign * (hours(oh) + minutes(om));
}

namespace {

constexpr std::array<std::pair<std::string_view, double>, 9> kUnits{{
    {"ns", 1},
    {"us", 1e3},
    {"µs", 1e3},
    {"ms", 1e6},
    {"s", 1e9},
    {"m", 60e9},
    {"h", 3600e9},
    {"d", 86400e9},
    {"w", 604800e9},
}};

}  // namespace

Nanoseconds parse_duration(std::string_view text) {
    auto fail = [&] {
        throw Error(Code::invalid_argument, fmt::format("\"{}\" is not a duration", text), "write it as 30s or 1m30s");
    };
    if (text == "0") return Nanoseconds(0);
    std::string_view rest = text;
    double sign = 1;
    if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
        sign = rest[0] == '-' ? -1 : 1;
        rest.remove_prefix(1);
    }
    if (rest.empty()) fail();
    double total = 0;
    while (!rest.empty()) {
        size_t end = rest.find_first_not_of("0123456789.");
        if (end == 0 || end == std::string_view::npos || end > 20) fail();
        double value = 0;
        size_t used = 0;
        std::string number(rest.substr(0, end));
        try {
            value = std::stod(number, &used);
        } catch (const std::exception&) {
            fail();
        }
        if (used != number.size()) fail();
        rest.remove_prefix(end);
        size_t length = std::min(rest.find_first_of("0123456789."), rest.size());
        double unit = 0;
        for (auto [name, size] : kUnits) {
            if (name == rest.substr(0, length)) unit = size;
        }
        if (unit == 0) fail();
        total += value * unit;
        rest.remove_prefix(length);
    }
    if (total > 9.2e18) fail();
    return Nanoseconds(static_cast<int64_t>(std::llround(sign * total)));
}

std::string format_duration(Nanoseconds duration) {
    int64_t n = duration.count();
    if (n == 0) return "0s";
    std::string sign = n < 0 ? "-" : "";
    n = std::abs(n);
    if (n < 1'000) return fmt::format("{}{}ns", sign, n);
    if (n < 1'000'000) return fmt::format("{}{:g}µs", sign, static_cast<double>(n) / 1e3);
    if (n < 1'000'000'000) return fmt::format("{}{:g}ms", sign, static_cast<double>(n) / 1e6);
    int64_t h = n / 3'600'000'000'000;
    int64_t m = n / 60'000'000'000 % 60;
    double s = static_cast<double>(n % 60'000'000'000) / 1e9;
    std::string text = sign;
    if (h) text += fmt::format("{}h", h);
    if (h || m) text += fmt::format("{}m", m);
    return text + fmt::format("{:.10g}s", s);
}

std::string human_duration(Nanoseconds duration) {
    int64_t s = duration_cast<seconds>(duration).count();
    if (s < 1) return "Less than a second";
    if (s == 1) return "1 second";
    if (s < 60) return fmt::format("{} seconds", s);
    int64_t m = s / 60;
    if (m == 1) return "About a minute";
    if (m < 60) return fmt::format("{} minutes", m);
    int64_t h = (s + 1800) / 3600;
    if (h == 1) return "About an hour";
    if (h < 48) return fmt::format("{} hours", h);
    if (h < 24 * 7 * 2) return fmt::format("{} days", h / 24);
    if (h < 24 * 30 * 2) return fmt::format("{} weeks", h / 24 / 7);
    if (h < 24 * 365 * 2) return fmt::format("{} months", h / 24 / 30);
    return fmt::format("{} years", h / 24 / 365);
}

}  // namespace kedge
