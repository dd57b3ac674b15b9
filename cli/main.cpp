#include "base/error.h"
#include "cli/arguments.h"
#include "cli/completion.h"
#include "cli/session.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace kedge::cli {

namespace {

/// Says what follows the options of run, create, exec and top, whose words CLI11 does not know.
class HelpFormat : public CLI::Formatter {
public:
    HelpFormat() { column_width(34); }
    std::string make_usage(const CLI::App* app, std::string name) const override {
        std::string usage = CLI::Formatter::make_usage(app, name);
        if (!app->get_prefix_command()) return usage;
        std::string words = app->get_name() == "exec"  ? " CONTAINER COMMAND [ARG...]"
                            : app->get_name() == "top" ? " CONTAINER [ps OPTIONS]"
                                                       : " IMAGE [COMMAND] [ARG...]";
        return usage.insert(std::min(usage.find('\n'), usage.size()), words);
    }
};

/// Which commands are called: only these are set up, with their options and the commands below them; others cost time.
struct Called {
    std::vector<std::string> words;
    bool with_options = true;
    bool everything = false;  ///< the completion script knows all of them
    bool names(const Command& command, size_t depth) const {
        return everything || (depth < words.size() &&
                              (words[depth] == command.name || (command.alias && words[depth] == command.alias)));
    }
    /// The called one of them, or null: then a help or an error shows what there is.
    const Command* one_of(const std::vector<Command>& commands, size_t depth) const {
        auto called = std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return names(c, depth); });
        return everything || called == commands.end() ? nullptr : &*called;
    }
};

/// All of them, or only the one that is called.
std::vector<Command> all_commands(const Called& called) {
    std::vector<Command> commands;
    for (auto part :
         {project_commands, release_commands, container_list_commands, run_commands, attach_commands,
          container_commands, usage_commands, log_commands, file_commands, image_commands, image_transfer_commands,
          resource_commands, group_commands, system_commands, unsupported_commands}) {
        for (Command& command : part()) {
            if (called.names(command, 0) && !called.everything) return {std::move(command)};
            commands.push_back(std::move(command));
        }
    }
    commands.push_back(oci_command());
    return commands;
}

void add_commands(CLI::App& app, const std::vector<Command>& commands, const std::shared_ptr<Session>& session,
                  const Called& called, size_t depth) {
    app.require_subcommand(1);
    const Command* only = called.one_of(commands, depth);
    for (const Command& command : commands) {
        if (only && only != &command) continue;
        CLI::App* sub = app.add_subcommand(command.name, command.description);
        if (command.alias) sub->alias(command.alias);
        if (command.hidden) sub->group("");
        if (!called.names(command, depth)) continue;
        if (*command.examples) sub->footer(std::string("Examples:\n") + command.examples);
        if (command.set_up)
            command.set_up(CommandLine(*sub, called.with_options || called.everything), session);
        else
            add_commands(*sub, command.commands, session, called, depth + 1);
    }
}

void add_completion(CLI::App& app, bool called) {
    CLI::App* completion = app.add_subcommand("completion", "Print a completion script for bash, zsh or fish");
    if (!called) return;
    auto shell = std::make_shared<std::string>();
    completion->add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->footer("Examples:\n  kedge completion bash > /etc/bash_completion.d/kedge");
    completion->callback([&app, shell] { print(completion_script(app, *shell)); });
}

/// A group called without a command shows what there is.
bool only_names_a_group(const CLI::App& app) {
    std::vector<const CLI::App*> subs = app.get_subcommands([](const CLI::App* sub) { return sub->parsed(); });
    if (!subs.empty()) return only_names_a_group(*subs.front());
    return !app.get_subcommands([](const CLI::App*) { return true; }).empty();
}

const CLI::App& called_command(const CLI::App& app) {
    std::vector<const CLI::App*> subs = app.get_subcommands([](const CLI::App* sub) { return sub->parsed(); });
    return subs.empty() ? app : called_command(*subs.front());
}

int failed(const std::exception& error, int exit_code) {
    print_error(error);
    return exit_code;
}

constexpr int kWrongFlag = 125;  ///< as Docker's

int run(const std::vector<std::string>& arguments) {
    auto session = std::make_shared<Session>();
    try {
        if (!arguments.empty() && arguments.front() == "oci")
            become_oci_runtime({arguments.begin() + 1, arguments.end()});
    } catch (const Error& error) {
        print_error(error);
        return 1;
    }
    CLI::App app("kedge: containers from Git, and the containers themselves", "kedge");
    app.set_version_flag("--version", "kedge " KEDGE_VERSION);
    app.add_option("-H,--host", session->host, "The agent's socket, unix:///run/kedge/kedge.sock (or KEDGE_HOST)");
    app.formatter(std::make_shared<HelpFormat>());
    Called called{called_words(arguments), may_have_options(arguments)};
    called.everything = !called.words.empty() && called.words.front() == "completion";
    add_commands(app, all_commands(called), session, called, 0);
    add_completion(app, called.everything);
    if (called.everything) session->exit_code = 0;  // what some commands begin with
    try {
        std::vector<std::string> read = as_docker_reads(app, arguments);
        std::reverse(read.begin(), read.end());  // CLI11 takes them from the end
        app.parse(std::move(read));
    } catch (const CLI::Success& done) {
        return app.exit(done);  // --help and --version
    } catch (const CLI::RequiredError&) {
        if (!only_names_a_group(app)) return failed(wrong_count(called_command(app)), 1);
        print(app.help());
    } catch (const CLI::ExtrasError&) {
        return failed(wrong_count(called_command(app)), 1);
    } catch (const CLI::ParseError& error) {
        return failed(FlagError(Code::invalid_argument, error.what()), kWrongFlag);
    } catch (const FlagError& error) {
        return failed(error, kWrongFlag);
    } catch (const std::exception& error) {
        return failed(error, session->exit_code != 0 ? session->exit_code : 1);
    }
    return session->exit_code;
}

}  // namespace

}  // namespace kedge::cli

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);  // a connection or reader that is gone is seen where it is written to
    const int code = kedge::cli::run(std::vector<std::string>(argv + 1, argv + argc));
    std::cout.flush();
    std::_Exit(code);  // to take apart what all files have made before the start would take longer than most commands
}
