#include "cli/session.h"

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/table.h"
#include "cli/template.h"

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

namespace kedge::cli {

using nlohmann::json;

void add_format_option(CommandLine line, std::string& format) {
    line.add_option("--format", format, "table or json").one_of({"table", "json"}).show_default();
}

void add_row_format_option(CommandLine line, ListStyle& style) {
    line.add_option("--format", style.format,
                    "table, json, or a template such as '{{.Names}}' or 'table {{.ID}}\\t{{.Names}}'")
        .show_default();
}

void add_list_options(CommandLine line, ListStyle& style) {
    add_row_format_option(line, style);
    line.add_flag("-q,--quiet", style.quiet, "Only ids or names");
    line.add_flag("--no-trunc", style.no_trunc, "Don't shorten what is long");
}

std::string filters_parameter(const std::vector<std::string>& filters) {
    if (filters.empty()) return {};
    json result = json::object();
    for (const std::string& filter : filters) {
        if (filter.empty()) continue;  // as Docker: what a script's variable may come to
        size_t equals = filter.find('=');
        if (equals == std::string::npos)
            throw invalid_flag(filter, "-f, --filter", "bad format of filter (expected name=value)");
        result[filter.substr(0, equals)].push_back(filter.substr(equals + 1));
    }
    return result.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string container_path(const std::string& name, const std::string& rest) {
    return "/containers/" + escape(name) + rest;
}

void post_for_each(Session& session, const std::vector<std::string>& names, const std::string& rest) {
    Client client = session.client();
    for_each_name(names, session, [&](const std::string& name) {
        try {
            (void)client.post(container_path(name, rest));
        } catch (const Error& error) {
            if (error.code() != Code::not_modified) throw;
        }
        print(name + "\n");
    });
}

void print(std::string_view text, int fd) {
    while (!text.empty()) {
        ssize_t n = ::write(fd, text.data(), text.size());
        if (n >= 0) {
            text.remove_prefix(static_cast<size_t>(n));
        } else if (errno == EPIPE) {
            (void)::signal(SIGPIPE, SIG_DFL);
            (void)::raise(SIGPIPE);
        } else if (errno != EINTR) {
            throw_errno(fd == STDERR_FILENO ? "write to standard error" : "write to standard output");
        }
    }
}

bool confirmed(const std::string& question) {
    print(question + " [y/N] ");
    char answer[64] = {};
    return std::fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

void print_json_lines(const json& list) {
    std::string text;
    for (const json& item : list) text += item.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    print(text);
}

void print_json(const json& value) {
    print(value.dump(4, ' ', false, json::error_handler_t::replace) + "\n");
}

namespace {

/// `table {{.Names}}\t{{.Status}}`: the template's parts between tabs are the columns.
std::string render_own_table(const std::string& format, const std::vector<Column>& columns, const json& rows,
                             bool colours) {
    std::vector<std::string> parts = split_columns(format);
    std::vector<std::string> headings;
    for (const std::string& part : parts)
        headings.push_back(template_heading(part, [&](const std::string& member) {
            auto known =
                std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return member == c.member; });
            return known == columns.end() ? std::string() : std::string(known->heading);
        }));
    Table table(headings);
    for (const json& row : rows) {
        std::vector<Cell> cells;
        for (const std::string& part : parts) cells.emplace_back(render_template(part, row));
        table.add(std::move(cells));
    }
    return table.render(colours);
}

}  // namespace

std::string render_rows(const ListStyle& style, const std::vector<Column>& columns, const json& rows,
                        const char* quiet_member, bool colours) {
    std::string text;
    bool is_template = !style.json() && !style.format.empty() && style.format != "table";
    if (style.quiet) {
        for (const json& row : rows) text += row.at(quiet_member).get<std::string>() + "\n";
    } else if (is_template && style.format.starts_with("table ")) {
        text = render_own_table(style.format.substr(6), columns, rows, colours);
    } else if (is_template) {
        for (const json& row : rows) text += render_template(style.format, row) + "\n";
    } else if (style.json()) {
        for (const json& row : rows) text += render_template("{{json .}}", row) + "\n";
    } else {
        std::vector<std::string> headings;
        for (const Column& column : columns) headings.push_back(column.heading);
        Table table(headings);
        for (const json& row : rows) {
            std::vector<Cell> cells;
            for (const Column& column : columns) cells.emplace_back(row.at(column.member).get<std::string>());
            table.add(std::move(cells));
        }
        text = table.render(colours);
    }
    return text;
}

void print_rows(const ListStyle& style, const std::vector<Column>& columns, const json& rows,
                const char* quiet_member) {
    print(render_rows(style, columns, rows, quiet_member, colours_wanted()));
}

void print(const Table& table) {
    print(table.render(colours_wanted()));
}

void expect_folder(const std::string& file) {
    const size_t slash = file.rfind('/');
    if (slash == std::string::npos || slash == 0) return;
    const std::string folder = file.substr(0, slash);
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) throw_errno("invalid output path: stat " + folder);
}

void print_error(const std::exception& error) {
    std::string text = std::string("kedge: ") + error.what() + "\n";
    const auto* known = dynamic_cast<const Error*>(&error);
    if (known && !known->hint().empty()) text += "hint: " + known->hint() + "\n";
    (void)!::write(STDERR_FILENO, text.data(), text.size());  // there is nowhere else to say it
}

bool for_each_name(const std::vector<std::string>& names, Session& session,
                   const std::function<void(const std::string&)>& work) {
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
