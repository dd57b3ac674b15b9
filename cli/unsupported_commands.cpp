#include "base/error.h"
#include "cli/session.h"

namespace kedge::cli {

namespace {

void set_up_unsupported(CommandLine line, const std::shared_ptr<Session>&) {
    line.takes_anything();
    line.callback([=] { throw Error(Code::invalid_argument, line.name() + " is not supported yet"); });
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
