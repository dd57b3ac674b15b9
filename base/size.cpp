#include "base/size.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

namespace kedge {

std::optional<int64_t> parse_size(std::string_view text, bool* too_large) {
    double value = 0;
    const char* end = text.data() + text.size();
    auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc() || !(value >= 0) || std::isinf(value)) return {};
    std::string unit;
    for (const char* c = rest; c != end; ++c) {
        if (*c != ' ' || !unit.empty()) unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
    }
    if (unit.size() > 2 && unit.ends_with("ib")) unit.resize(1);
    if (unit.ends_with('b')) unit.pop_back();
    constexpr std::string_view kUnits = "kmgtp";
    size_t power = unit.empty() ? 0 : kUnits.find(unit) + 1;
    if (unit.size() > 1 || (!unit.empty() && power == 0)) return {};
    double bytes = std::ldexp(value, 10 * static_cast<int>(power));
    bool fits = bytes < 9.2e18;
    if (too_large) *too_large = !fits;
    if (!fits) return {};
    return static_cast<int64_t>(bytes);
}

}  // namespace kedge
