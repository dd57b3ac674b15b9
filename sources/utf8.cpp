#include "sources/utf8.h"

#include <fmt/format.h>

namespace kedge::sources {

size_t utf8_length(std::string_view text) {
    auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    unsigned c = byte(0);
    if (c < 0x80) return 1;
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4) return 0;
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    if ((c == 0xe0 && byte(1) < 0xa0) || (c == 0xed && byte(1) > 0x9f)) return 0;
    if ((c == 0xf0 && byte(1) < 0x90) || (c == 0xf4 && byte(1) > 0x8f)) return 0;
    return length;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        size_t length = utf8_length(text.substr(0, 4));
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string printable(std::string_view text, size_t limit) {
    std::string result;
    while (!text.empty() && result.size() < limit) {
        unsigned char c = static_cast<unsigned char>(text[0]);
        size_t length = utf8_length(text.substr(0, 4));
        if (c < 0x20 || c == 0x7f || length == 0) {
            result += fmt::format("\\x{:02x}", c);
            length = 1;
        } else {
            result += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return text.empty() ? result : result + "...";
}

}  // namespace kedge::sources
