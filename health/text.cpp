#include "health/text.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

namespace kedge::health {

namespace {

constexpr std::string_view kCut = "...";

}  // namespace

std::string bounded_text(std::string_view bytes, size_t limit) {
    using nlohmann::json;
    // The library replaces what is no UTF-8 when it writes a string; reading that gives the text back.
    std::string quoted = json(bytes).dump(-1, ' ', false, json::error_handler_t::replace);
    std::string text = json::parse(quoted).get<std::string>();
    if (text.size() <= limit) return text;
    return beginning(text, limit - kCut.size()).append(kCut);
}

std::string one_line(std::string_view text, size_t limit) {
    std::string line;
    for (char c : text) {
        bool blank = static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
        if (!blank)
            line += c;
        else if (!line.empty() && line.back() != ' ')
            line += ' ';
    }
    if (line.ends_with(' ')) line.pop_back();
    return bounded_text(line, limit);
}

}  // namespace kedge::health
