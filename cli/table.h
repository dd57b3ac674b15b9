#pragma once

#include <string>
#include <vector>

namespace kedge::cli {

/// How something is shown: chosen by what the cell says, seen only on terminals.
enum class Tone { plain, good, bad, attention, faint };

struct Cell {
    Cell(std::string given, Tone chosen = Tone::plain) : text(std::move(given)), tone(chosen) {}
    Cell(const char* given) : text(given) {}
    std::string text;
    Tone tone = Tone::plain;
};

/// Columns under headings, as wide as their widest cell and three spaces apart, as Docker's lists are.
class Table {
public:
    explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
    bool empty() const { return rows_.empty(); }
    std::string render(bool colours) const;

private:
    std::vector<std::string> headings_;
    std::vector<std::vector<Cell>> rows_;
};

/// Columns of a terminal that UTF-8 text takes, a character counted as one.
size_t display_width(const std::string& text);
/// The text in the tone's colour.
std::string painted(const std::string& text, Tone tone, bool colours);
/// Standard output is a terminal, and NO_COLOR isn't set.
bool colours_wanted();

}  // namespace kedge::cli
