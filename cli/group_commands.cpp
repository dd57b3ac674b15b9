#include "cli/session.h"

#include <string_view>

namespace kedge::cli {

namespace {

/// The command of that name, perhaps under another one.
Command pick(const std::vector<Command>& commands, std::string_view name, const char* as = nullptr,
             const char* alias = nullptr) {
    for (Command command : commands) {
        if (command.name != name) continue;
        if (as) command.name = as;
        command.alias = alias;
        return command;
    }
    return unsupported_command(as);
}

Command container_group() {
    std::vector<Command> life = container_commands(), lists = container_list_commands();
    std::vector<Command> commands = {pick(lists, "ps", "ls", "list"), pick(prune_commands(), "container", "prune"),
                                     pick(log_commands(), "logs"), pick(lists, "port")};
    for (const Command& command : run_commands()) commands.push_back(command);
    for (const Command& command : attach_commands()) commands.push_back(command);
    for (const Command& command : life) commands.push_back(command);
    for (const Command& command : file_commands()) commands.push_back(command);
    commands.push_back(container_diff_command());
    commands.push_back({"inspect", "Everything about containers, as JSON", "  kedge container inspect web",
                        [](CommandLine line, const std::shared_ptr<Session>& session) {
                            set_up_inspect(line, session, "container");
                        }});
    for (const Command& command : usage_commands()) commands.push_back(command);
    return {"container", "Manage containers", "  kedge container ls -a", nullptr, commands};
}

Command image_group() {
    std::vector<Command> images = image_commands();
    std::vector<Command> commands = {pick(images, "images", "ls", "list"), pick(images, "rmi", "rm", "remove"),
                                     pick(images, "tag"), image_history_command(),
                                     pick(prune_commands(), "image", "prune")};
    for (const Command& command : image_transfer_commands()) commands.push_back(command);
    commands.push_back(
        {"inspect", "Everything about images, as JSON", "  kedge image inspect nginx:1.27",
         [](CommandLine line, const std::shared_ptr<Session>& session) { set_up_inspect(line, session, "image"); }});
    for (const char* name : {"build", "push"}) commands.push_back(unsupported_command(name));
    return {"image", "Manage images", "  kedge image ls", nullptr, commands};
}

Command system_group() {
    return {"system",
            "Manage the agent and its machine",
            "  kedge system info",
            nullptr,
            {pick(system_commands(), "info"), pick(log_commands(), "events"), pick(prune_commands(), "system", "prune"),
             disk_usage_command()}};
}

}  // namespace

std::vector<Command> group_commands() {
    return {container_group(), image_group(), system_group()};
}

}  // namespace kedge::cli
