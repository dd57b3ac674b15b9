#include "cli/table.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace kedge::cli {

namespace {

constexpr size_t kGap = 3;

std::string_view escape_of(Tone tone) {
    switch (tone) {
        case Tone::plain: return "";
        case Tone::good: return "\033[32m";
        case Tone::bad: return "\033[31m";
        case Tone::attention: return "\033[33m";
        case Tone::faint: return "\033[2m";
    }
    return "";
}

/// What comes from images, repositories and containers must not drive the terminal.
std::string harmless(const std::string& text) {
    std::string result = text;
    std::replace_if(
        result.begin(), result.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
    return result;
}

}  // namespace

size_t display_width(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string painted(const std::string& text, Tone tone, bool colours) {
    if (!colours || tone == Tone::plain) return text;
    return std::string(escape_of(tone)) + text + "\033[0m";
}

bool colours_wanted() {
    return ::isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR");
}

std::string Table::render(bool colours) const {
    std::vector<size_t> widths;
    for (const std::string& heading : headings_) widths.push_back(display_width(heading));
    for (const auto& row : rows_) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
    }
    std::string text;
    auto put = [&](size_t column, size_t last, const std::string& cell, Tone tone) {
        text += painted(harmless(cell), tone, colours);
        if (column < last) text += std::string(widths[column] - display_width(cell) + kGap, ' ');
    };
    for (size_t i = 0; i < headings_.size(); ++i) put(i, headings_.size() - 1, headings_[i], Tone::plain);
    text += '\n';
    for (const auto& row : rows_) {
        for (size_t i = 0; i < row.size(); ++i) put(i, row.size() - 1, row[i].text, row[i].tone);
        text += '\n';
    }
    return text;
}

}  // namespace kedge::cli
