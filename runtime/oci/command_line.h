#pragma once

#include "runtime/oci/commands.h"
#include "runtime/oci/log.h"
#include "runtime/oci/sealed_program.h"

#include <memory>

namespace CLI {
class App;
}

namespace kedge::oci {

/// What one call of the program shares.
struct Session {
    Runtime runtime;
    std::optional<SealedProgram> shim;
    Log log;
    std::string log_format = "text";
    bool systemd_cgroup = false, debug = false;
    int exit_code = 0;
};

using SessionPtr = std::shared_ptr<Session>;

/// A command with its help.
CLI::App* add(CLI::App& app, const char* name, const char* description, const char* examples);

/// Adds every command to the program's. `session` is filled in before the command runs.
void add_commands(CLI::App& app, const std::shared_ptr<Session>& session);
void add_life_commands(CLI::App& app, const std::shared_ptr<Session>& session);
void add_query_commands(CLI::App& app, const std::shared_ptr<Session>& session);
void add_update_command(CLI::App& app, const std::shared_ptr<Session>& session);

/// The whole program. Returns its exit code.
int run(const std::vector<std::string>& arguments);

}  // namespace kedge::oci
