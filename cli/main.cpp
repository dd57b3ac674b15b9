#include "base/error.h"
#include "cli/completion.h"
#include "cli/session.h"

#include <CLI/CLI.hpp>

#include <cstring>
#include <optional>

namespace kedge::cli {

namespace {

/// The words that lead to the called command: `volume ls` of `kedge -H x volume ls --quiet`.
std::string called_command(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "-H") == 0 || std::strcmp(argv[i], "--host") == 0) ++i;
        else if (argv[i][0] != '-') return argv[i];
    }
    return {};
}

std::vector<Command> all_commands() {
    std::vector<Command> commands;
    for (auto part : {project_commands, release_commands, container_list_commands, run_commands, container_commands, log_commands,
                      image_commands, image_transfer_commands, resource_commands, system_commands}) {
        for (const Command& command : part()) commands.push_back(command);
    }
    return commands;
}

void add_commands(CLI::App& app, const std::shared_ptr<Session>& session, const std::string& called) {
    for (const Command& command : all_commands()) {
        CLI::App* sub = app.add_subcommand(command.name, command.description);
        if (called != command.name && called != "completion") continue;  // the options of what isn't called cost time
        if (*command.examples) sub->footer(std::string("Examples:\n") + command.examples);
        command.set_up(*sub, session);
    }
    CLI::App* completion = app.add_subcommand("completion", "Print a completion script for bash, zsh or fish");
    if (called != "completion") return;
    auto shell = std::make_shared<std::string>();
    completion->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->footer("Examples:\n  kedge completion bash > /etc/bash_completion.d/kedge");
    completion->callback([&app, shell] { print(completion_script(app, *shell)); });
}

int run(int argc, char** argv) {
    auto session = std::make_shared<Session>();
    CLI::App app("kedge: containers from Git, and the containers themselves", "kedge");
    app.set_version_flag("--version", "kedge " KEDGE_VERSION);
    app.add_option("-H,--host", session->host, "The agent's socket, unix:///run/kedge/kedge.sock (or KEDGE_HOST)");
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);
    add_commands(app, session, called_command(argc, argv));
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& done) {
        return app.exit(done);  // --help and --version
    } catch (const CLI::ParseError& error) {
        if (argc == 1) {
            print(app.help());
            return 0;
        }
        std::string called = called_command(argc, argv);
        bool runs = called == "run" || called == "exec" || called == "create";
        std::fprintf(stderr, "kedge: %s\nhint: kedge %s%s--help\n", error.what(), called.c_str(), called.empty() ? "" : " ");
        return runs ? 125 : 1;
    } catch (const std::exception& error) {
        print_error(error);
        return session->exit_code != 0 ? session->exit_code : 1;
    }
    return session->exit_code;
}

}  // namespace

}  // namespace kedge::cli

int main(int argc, char** argv) {
    return kedge::cli::run(argc, argv);
}
