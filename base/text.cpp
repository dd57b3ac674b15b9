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

}  // namespace kedge
