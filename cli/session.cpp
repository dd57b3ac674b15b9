#include "cli/session.h"

#include "base/error.h"
#include "cli/table.h"
#include "cli/template.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace kedge::cli {

using nlohmann::json;

void add_format_option(CLI::App& app, std::string& format) {
    app.add_option("--format", format, "table or json")->check(CLI::IsMember({"table", "json"}))->capture_default_str();
}

void add_list_options(CLI::App& app, ListStyle& style) {
    app.add_option("--format", style.format, "table, json or a template such as '{{.Names}}'")->capture_default_str()->check([](const std::string& text) {
        bool known = text == "table" || text == "json" || text.find("{{") != std::string::npos;
        return known ? std::string() : "\"" + text + "\" is not table, json or a template";
    });
    app.add_flag("-q,--quiet", style.quiet, "Only ids or names");
    app.add_flag("--no-trunc", style.no_trunc, "Don't shorten what is long");
}

std::string filters_parameter(const std::vector<std::string>& filters) {
    if (filters.empty()) return {};
    json result = json::object();
    for (const std::string& filter : filters) {
        size_t equals = filter.find('=');
        if (equals == std::string::npos) {
            throw Error(Code::invalid_argument, "bad format of filter '" + filter + "' (expected name=value)");
        }
        result[filter.substr(0, equals)].push_back(filter.substr(equals + 1));
    }
    return result.dump(-1, ' ', false, json::error_handler_t::replace);
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
        throw errno_error("write to standard output", errno);
    }
}

void print_json_lines(const json& list) {
    std::string text;
    for (const json& item : list) text += item.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    print(text);
}

void print_json(const json& value) {
    print(value.dump(4, ' ', false, json::error_handler_t::replace) + "\n");
}

void print_rows(const ListStyle& style, const std::vector<Column>& columns, const json& rows, const char* quiet_member) {
    if (style.quiet || style.format.find("{{") != std::string::npos) {
        std::string text;
        for (const json& row : rows) {
            text += (style.quiet ? row.at(quiet_member).get<std::string>() : render_template(style.format, row)) + "\n";
        }
        return print(text);
    }
    if (style.json()) return print_json_lines(rows);
    std::vector<std::string> headings;
    for (const Column& column : columns) headings.push_back(column.heading);
    Table table(headings);
    for (const json& row : rows) {
        std::vector<Cell> cells;
        for (const Column& column : columns) cells.emplace_back(row.at(column.member).get<std::string>());
        table.add(std::move(cells));
    }
    print(table);
}

void print(const Table& table) {
    print(table.render(colours_wanted()));
}

void print_error(const std::exception& error) {
    std::fprintf(stderr, "kedge: %s\n", error.what());
    const auto* known = dynamic_cast<const Error*>(&error);
    if (known && !known->hint().empty()) std::fprintf(stderr, "hint: %s\n", known->hint().c_str());
}

bool for_each_name(const std::vector<std::string>& names, Session& session, const std::function<void(const std::string&)>& work) {
    bool good = true;
    for (const std::string& name : names) {
        try {
            work(name);
        } catch (const Error& error) {
            if (error.code() == Code::unavailable) throw;  // the agent itself: the others would fail alike
            print_error(error);
            good = false;
        }
    }
    if (!good) session.exit_code = 1;
    return good;
}

}  // namespace kedge::cli
