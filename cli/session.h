#pragma once

#include "cli/client.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace kedge::cli {

class Table;

/// What one call of the command shares.
struct Session {
    std::string host;   ///< -H
    int exit_code = 0;  ///< what the command ends with
    Client client() const { return Client(socket_path(host)); }
};

/// A command: its options are set up only when it is the one that was called.
struct Command {
    const char* name;
    const char* description;
    const char* examples;
    void (*set_up)(CLI::App& app, const std::shared_ptr<Session>& session);
};

// The commands by topic, in a file of that name each.
std::vector<Command> project_commands();
std::vector<Command> release_commands();
std::vector<Command> container_list_commands();
std::vector<Command> container_commands();
std::vector<Command> run_commands();
std::vector<Command> log_commands();
std::vector<Command> image_commands();
std::vector<Command> image_transfer_commands();
std::vector<Command> resource_commands();
std::vector<Command> system_commands();

/// --format, --quiet and --no-trunc of lists.
struct ListStyle {
    std::string format = "table";
    bool quiet = false;
    bool no_trunc = false;
    bool json() const { return format == "json"; }
};

/// A column of a list: its heading, and the member of each row that it shows.
struct Column {
    const char* heading;
    const char* member;
};
/// Rows of text members as the style says: a table, JSON lines, a template for each, or only `quiet_member`.
void print_rows(const ListStyle& style, const std::vector<Column>& columns, const nlohmann::json& rows, const char* quiet_member);
void add_list_options(CLI::App& app, ListStyle& style);
void add_format_option(CLI::App& app, std::string& format);

/// --filter name=value, as the agent's `filters` parameter wants it. Throws Error.
std::string filters_parameter(const std::vector<std::string>& filters);

void print(const std::string& text);
/// One object a line.
void print_json_lines(const nlohmann::json& list);
void print_json(const nlohmann::json& value);
void print(const Table& table);

/// Does it for each name; an error of one is printed and the others go on. True if all went well.
bool for_each_name(const std::vector<std::string>& names, Session& session, const std::function<void(const std::string&)>& work);

/// `kedge: message`, with a hint on the next line.
void print_error(const std::exception& error);

}  // namespace kedge::cli
