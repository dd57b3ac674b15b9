#include "cli/table.h"

#include "base/error.h"
#include "cli/session.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace kedge;
using namespace kedge::cli;
using nlohmann::json;

namespace {

const std::vector<Column> kColumns = {{"CONTAINER ID", "ID"}, {"NAMES", "Names"}};
const json kRows = json::parse(
    R"([{"ID": "012345", "Names": "web", "Status": "Up 3 minutes"}, {"ID": "abc", "Names": "database", "Status": "Created"}])");

std::string rendered(const ListStyle& style) {
    return render_rows(style, kColumns, kRows, "ID", false);
}

ListStyle format(const std::string& text) {
    ListStyle style;
    style.format = text;
    return style;
}

}  // namespace

TEST(Table, IsAsWideAsItsWidestCells) {
    Table table({"NAME", "SIZE", "NOTE"});
    table.add({"a", "1", "x"});
    table.add({"longer name", "22", ""});
    EXPECT_EQ(table.render(false),
              "NAME          SIZE   NOTE\n"
              "a             1      x\n"
              "longer name   22     \n");
}

TEST(Table, WithoutRowsIsItsHeadings) {
    EXPECT_EQ(Table({"NAME", "SIZE"}).render(false), "NAME   SIZE\n");
}

TEST(Table, CountsCharactersNotBytes) {
    Table table({"A", "B"});
    table.add({"äöü", "x"});
    table.add({"abc", "y"});
    EXPECT_EQ(table.render(false), "A     B\näöü   x\nabc   y\n");
}

TEST(Table, ColoursDoNotMoveColumns) {
    Table table({"STATE", "X"});
    table.add({{"bad", Tone::bad}, "1"});
    EXPECT_EQ(table.render(true), "STATE   X\n\033[31mbad\033[0m     1\n");
}

TEST(Table, LetsNobodyDriveTheTerminal) {
    Table table({"NAME"});
    table.add({"a\033[2J\nb"});
    EXPECT_EQ(table.render(false), "NAME\na [2J b\n");
}

TEST(Rows, AreATable) {
    EXPECT_EQ(rendered({}), "CONTAINER ID   NAMES\n012345         web\nabc            database\n");
}

TEST(Rows, AreOnlyIdsWhenQuiet) {
    ListStyle style;
    style.quiet = true;
    EXPECT_EQ(rendered(style), "012345\nabc\n");
}

TEST(Rows, AreALineOfJsonEach) {
    std::string text = rendered(format("json"));
    EXPECT_EQ(json::parse(text.substr(0, text.find('\n'))), kRows[0]);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(Rows, AreATemplateEach) {
    EXPECT_EQ(rendered(format("{{.Names}}: {{.Status}}")), "web: Up 3 minutes\ndatabase: Created\n");
    EXPECT_THROW((void)rendered(format("{{.Nothing}}")), Error);
}

TEST(Rows, AreATableOfATemplatesColumns) {
    EXPECT_EQ(rendered(format("table {{.ID}}\\t{{.Status}}")),
              "CONTAINER ID   STATUS\n012345         Up 3 minutes\nabc            Created\n");
}
