#include "api/stream_time.h"

#include "base/error.h"

#include <charconv>

namespace kedge::api {

WallTime parameter_time(const std::string& text) {
    if (text.empty() || text == "0") return {};
    if (text.find('-') != std::string::npos) return parse_time(text);
    auto fail = [&]() -> Error { return Error(Code::invalid_argument, "\"" + text + "\" is not a time"); };
    const char* end = text.data() + text.size();
    int64_t seconds = 0, nanoseconds = 0;
    auto [dot, failure] = std::from_chars(text.data(), end, seconds);
    if (failure != std::errc() || seconds < 0 || seconds > 9'000'000'000) throw fail();
    if (dot != end) {
        std::string fraction(dot, end);
        if (fraction.front() != '.' || fraction.size() < 2 || fraction.size() > 10) throw fail();
        fraction.resize(10, '0');
        auto [last, bad] = std::from_chars(fraction.data() + 1, fraction.data() + 10, nanoseconds);
        if (bad != std::errc() || last != fraction.data() + 10) throw fail();
    }
    return WallTime(std::chrono::seconds(seconds) + Nanoseconds(nanoseconds));
}

}  // namespace kedge::api
