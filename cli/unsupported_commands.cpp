#include "base/error.h"
#include "cli/session.h"

#include <CLI/CLI.hpp>

namespace kedge::cli {

namespace {

void set_up_unsupported(CLI::App& app, const std::shared_ptr<Session>&) {
    app.allow_extras();
    app.callback([&app] { throw Error(Code::invalid_argument, app.get_name() + " is not supported yet"); });
}

}  // namespace

Command unsupported_command(const char* name) {
    return {name, "Not supported yet", "", set_up_unsupported, {}, nullptr, true};
}

std::vector<Command> unsupported_commands() {
    std::vector<Command> commands;
    for (const char* name : {"build", "compose", "login", "logout", "push", "search"}) {
        commands.push_back(unsupported_command(name));
    }
    return commands;
}

}  // namespace kedge::cli
