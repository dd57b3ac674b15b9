#include "base/error.h"
#include "cli/client.h"
#include "cli/dialogue.h"
#include "cli/flag_values.h"
#include "cli/format.h"
#include "cli/hijack.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct ExecOptions {
    std::string container, user, working_dir;
    std::vector<std::string> command, variables, variable_files;
    bool detach = false, interactive = false, tty = false, privileged = false;
    std::string detach_keys;
};

/// Only what was asked for: the rest is the agent's default.
json exec_body(const ExecOptions& options) {
    json body = {{"Cmd", options.command}};
    auto ask = [&](const char* name, bool wanted) {
        if (wanted) body[name] = true;
    };
    auto tell = [&](const char* name, const std::string& value) {
        if (!value.empty()) body[name] = value;
    };
    if (!options.variables.empty() || !options.variable_files.empty())
        body["Env"] = read_variables(options.variable_files, options.variables, outside());
    tell("User", options.user);
    tell("WorkingDir", options.working_dir);
    tell("DetachKeys", options.detach_keys);
    ask("Privileged", options.privileged);
    ask("Tty", options.tty);
    ask("Detach", options.detach);
    ask("AttachStdin", options.interactive && !options.detach);
    ask("AttachStdout", !options.detach);
    ask("AttachStderr", !options.detach);
    TerminalSize size = options.tty ? terminal_size() : TerminalSize();
    if (size.rows > 0) body["ConsoleSize"] = {size.rows, size.columns};
    return body;
}

void exec(Session& session, const ExecOptions& options) {
    if (!options.detach) check_terminal(options.interactive, options.tty);
    (void)DetachKeys(options.detach_keys);
    Client client = session.client();
    const std::string path = "/kedge/v1/containers/" + escape(options.container) + "/exec";
    if (options.detach) {
        (void)client.post(path, exec_body(options));
        session.exit_code = 0;
        return;
    }
    Hijacked stream(client.socket(), path, exec_body(options));
    auto resize = [&](TerminalSize size) {
        try {
            (void)client.post(stream.header("location") + "/resize?h=" + std::to_string(size.rows) +
                              "&w=" + std::to_string(size.columns));
        } catch (const Error&) {
            // It has just ended; if not, its programs take the terminal for smaller or larger than it is.
        }
    };
    Dialogue dialogue(stream, {options.interactive, options.tty, options.detach_keys, resize});
    while (!dialogue.ended() && !dialogue.exit_code()) {
        pollfd waits[Dialogue::kPolled];
        dialogue.poll_for(waits);
        if (::poll(waits, Dialogue::kPolled, -1) < 0 && errno != EINTR) throw_errno("poll");
        dialogue.serve(waits);
    }
    if (dialogue.detached()) {
        print("read escape sequence\r\n", STDERR_FILENO);
        session.exit_code = 1;  // as Docker's
        return;
    }
    if (!dialogue.exit_code()) throw Error(Code::unavailable, "the agent ended before the command did");
    session.exit_code = *dialogue.exit_code();
}

void set_up_exec(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ExecOptions>();
    session->exit_code = 125;  // for wrong flags, as Docker
    line.takes_words();
    line.add_flag("-d,--detach", options->detach, "In the background");
    line.add_list("-e,--env", options->variables, "NAME=value, or NAME for this shell's value");
    line.add_list("--env-file", options->variable_files, "A file of such lines");
    line.add_flag("-i,--interactive", options->interactive, "With this command's standard input");
    line.add_flag("--privileged", options->privileged, "With every right there is on this machine");
    line.add_option("-u,--user", options->user, "USER[:GROUP], names or numbers");
    line.add_option("-w,--workdir", options->working_dir, "The working directory");
    line.add_flag("-t,--tty", options->tty, "With a terminal");
    line.add_option("--detach-keys", options->detach_keys, "Keys that leave it running (ctrl-p,ctrl-q)");
    line.callback([=] {
        std::vector<std::string> words = line.words();
        session->exit_code = 1;
        if (words.size() < 2) throw wrong_count(line, 2, kAnyCount);
        options->container = words.front();
        options->command.assign(words.begin() + 1, words.end());
        exec(*session, *options);
    });
}

}  // namespace

Command exec_command() {
    return {"exec", "Run a command in a running container",
            "  kedge exec -it web sh\n  kedge exec web nginx -t\n  kedge exec -u postgres db pg_dump shop > shop.sql\n "
            " kedge exec -i db psql < "
            "shop.sql",
            set_up_exec};
}

}  // namespace kedge::cli
