#include "base/text.h"

namespace kedge {

std::string beginning(std::string_view text, size_t bytes) {
    if (text.size() <= bytes) return std::string(text);
    auto continues = [&](size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
    size_t end = bytes;
    while (end > 0 && bytes - end < 3 && continues(end)) --end;
    // More than three in a row are no UTF-8: any cut is as good as another.
    return std::string(text.substr(0, continues(end) ? bytes : end));
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

}  // namespace kedge
