#include "cli/arguments.h"
#include "cli/session.h"
#include "cli/table.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace kedge::cli {

using nlohmann::json;

namespace {

/// Columns at least this wide, as Docker prints them.
constexpr size_t kLeastWidth = 20, kGap = 3;

std::string render(const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()), kLeastWidth);
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]) + kGap);
    }
    std::string text;
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 < row.size()) text.append(widths[i] - display_width(row[i]), ' ');
        }
        text += '\n';
    }
    return text;
}

void set_up_top(CommandLine line, const std::shared_ptr<Session>& session) {
    line.takes_words();  // what follows the container are options of ps
    line.callback([=] {
        std::vector<std::string> words = line.words();
        if (words.empty()) throw wrong_count(line, 1, kAnyCount);
        std::string options;
        for (size_t i = 1; i < words.size(); ++i) options += (i > 1 ? " " : "") + words[i];
        json answer =
            session->client().get("/containers/" + escape(words.front()) + "/top" + query({{"ps_args", options}}));
        std::vector<std::vector<std::string>> rows = {answer.at("Titles")};
        for (const json& row : answer.at("Processes")) rows.push_back(row);
        print(render(rows));
    });
}

}  // namespace

std::vector<Command> usage_commands() {
    return {{"top", "Processes of a container",
             "  kedge top web\n  kedge top web aux\n  kedge top web -o pid,user,args", set_up_top},
            stats_command(),
            update_command()};
}

}  // namespace kedge::cli
