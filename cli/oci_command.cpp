// `kedge oci`: becomes kedge-oci, which reads the rest of the command line itself.
#include "base/error.h"
#include "base/programs.h"
#include "cli/session.h"

#include <unistd.h>

namespace kedge::cli {

namespace {

void set_up_listed(CommandLine line, const std::shared_ptr<Session>&) {
    line.takes_words();
}

}  // namespace

void become_oci_runtime(const std::vector<std::string>& arguments) {
    const std::string program = find_program("kedge-oci");
    std::vector<char*> pointers = {const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    ::execv(program.c_str(), pointers.data());
    throw_errno(program);
}

/// Here for the help and the completion of words only.
Command oci_command() {
    Command command{"oci", "Containers from OCI bundles, for engines that start an OCI runtime",
                    "  kedge oci run --bundle /srv/web web\n  kedge oci list", nullptr};
    const std::pair<const char*, const char*> names[] = {
        {"create", "Make a container, which then waits for its start"},
        {"delete", "Take away what was made for a container that has ended"},
        {"events", "Print what a container uses, again and again, until it ends"},
        {"exec", "Execute a further process in a container"},
        {"features", "Print what is supported as JSON"},
        {"kill", "Send a signal to a container's first process"},
        {"list", "Print the containers below --root"},
        {"pause", "Stop every process of a container where it is"},
        {"ps", "Print a container's processes"},
        {"resume", "Let the processes of a paused container go on"},
        {"run", "Make a container, start it, and delete it when it has ended"},
        {"spec", "Write a config.json to begin with"},
        {"start", "Let a container that was made execute its program"},
        {"state", "Print a container's state as JSON"},
        {"update", "Change the limits of a container"}};
    for (const auto& [name, description] : names) command.commands.push_back({name, description, "", set_up_listed});
    return command;
}

}  // namespace kedge::cli
