#pragma once

#include "cli/client.h"
#include "cli/command_line.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
    void (*set_up)(CommandLine line, const std::shared_ptr<Session>& session);
    std::vector<Command> commands = {};  ///< of a group such as `volume`; it has no set_up of its own
    const char* alias = nullptr;
    bool hidden = false;  ///< not in the help
};

// The commands by topic, in a file of that name each.
std::vector<Command> project_commands();
std::vector<Command> release_commands();
std::vector<Command> container_list_commands();
std::vector<Command> container_commands();
std::vector<Command> run_commands();
std::vector<Command> attach_commands();  ///< and start
Command exec_command();                  ///< one of them
std::vector<Command> usage_commands();   ///< top, stats, update
Command update_command();                ///< one of them
Command stats_command();                 ///< the same
std::vector<Command> log_commands();
std::vector<Command> file_commands();
Command diff_command();            ///< of projects and containers
Command container_diff_command();  ///< of containers only
/// `A /path` lines of GET /containers/{id}/changes, or `json`.
void show_changes(const Client& client, const std::string& container, const std::string& format);
std::vector<Command> image_commands();
std::vector<Command> image_transfer_commands();
std::vector<Command> resource_commands();
std::vector<Command> system_commands();
Command audit_command();                ///< one of them
std::vector<Command> prune_commands();  ///< named after what they clean up; they are reached through the groups
/// `container`, `image` and `system`, which lead to the commands above, as Docker's do.
std::vector<Command> group_commands();
/// Docker's commands that kedge has not yet: they say so.
std::vector<Command> unsupported_commands();
Command unsupported_command(const char* name);
Command oci_command();  ///< its words are another program's: see become_oci_runtime
/// Executes `kedge-oci` with these arguments; returns only by an Error.
void become_oci_runtime(const std::vector<std::string>& arguments);
Command save_command();        ///< of image_transfer_commands()
Command disk_usage_command();  ///< `kedge system df`
/// `kedge image history`: `kedge history` is that of projects.
Command image_history_command();
/// The lines of GET /images/{name}/history.
struct ListStyle;
void show_image_history(const Client& client, const std::string& image, const ListStyle& style, bool human = true);
/// `inspect` of this kind of object (container, image, network, volume), or of any (nullptr).
void set_up_inspect(CommandLine line, const std::shared_ptr<Session>& session, const char* kind);

/// --format, --quiet and --no-trunc of lists. The format is `table`, `json`, a template for each row, or `table ` and a
/// template whose columns are separated by `\t`.
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
std::string render_rows(const ListStyle& style, const std::vector<Column>& columns, const nlohmann::json& rows,
                        const char* quiet_member, bool colours);
void print_rows(const ListStyle& style, const std::vector<Column>& columns, const nlohmann::json& rows,
                const char* quiet_member);
void add_list_options(CommandLine line, ListStyle& style);
/// --format alone.
void add_row_format_option(CommandLine line, ListStyle& style);
void add_format_option(CommandLine line, std::string& format);

/// --filter name=value, as the agent's `filters` parameter wants it. Throws Error.
std::string filters_parameter(const std::vector<std::string>& filters);

/// Writes to standard output (or error: `fd` 2) at once. A reader that is gone ends the process quietly, as it ends
/// other commands.
void print(std::string_view text, int fd = 1);
/// One object a line.
void print_json_lines(const nlohmann::json& list);
void print_json(const nlohmann::json& value);
void print(const Table& table);

/// `/containers/NAME` and the rest, escaped.
std::string container_path(const std::string& name, const std::string& rest);
/// A POST for each container, which is printed when it is done; what is so already is fine.
void post_for_each(Session& session, const std::vector<std::string>& names, const std::string& rest);

/// Does it for each name; an error of one is printed and the others go on. True if all went well.
bool for_each_name(const std::vector<std::string>& names, Session& session,
                   const std::function<void(const std::string&)>& work);

/// Throws Error if the folder of a file that is to be written isn't there.
void expect_folder(const std::string& file);
/// `kedge: message`, with a hint on the next line.
void print_error(const std::exception& error);
/// Asks on the terminal; true if the answer begins with y.
bool confirmed(const std::string& question);

}  // namespace kedge::cli
