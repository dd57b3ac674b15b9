#include "base/error.h"
#include "cli/client.h"
#include "cli/flag_values.h"
#include "cli/format.h"
#include "cli/frame_reader.h"
#include "cli/hijack.h"
#include "cli/session.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct ExecOptions {
    std::string container, user, working_dir;
    std::vector<std::string> command, variables, variable_files;
    bool detach = false, interactive = false, privileged = false;
};

json exec_body(const ExecOptions& options) {
    return {{"Cmd", options.command},
            {"Env", read_variables(options.variable_files, options.variables, outside())},
            {"User", options.user},
            {"WorkingDir", options.working_dir},
            {"Privileged", options.privileged},
            {"AttachStdin", options.interactive && !options.detach},
            {"AttachStdout", !options.detach},
            {"AttachStderr", !options.detach}};
}

/// Passes on what comes from standard input; false at its end, or when the command reads no more.
bool feed(Hijacked& stream) {
    std::array<char, 65536> buffer;
    ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (n > 0 && stream.write({buffer.data(), static_cast<size_t>(n)})) return true;
    stream.end_writing();
    return false;
}

void exchange(Hijacked& stream, bool interactive) {
    FrameReader frames([](bool err, std::string_view data) { print(data, err ? STDERR_FILENO : STDOUT_FILENO); });
    if (!interactive) stream.end_writing();
    pollfd waits[] = {{stream.fd(), POLLIN, 0}, {interactive ? STDIN_FILENO : -1, POLLIN, 0}};
    while (true) {
        if (::poll(waits, 2, -1) < 0 && errno != EINTR) throw_errno("poll");
        if (waits[0].revents) {
            std::string_view data = stream.read();
            if (data.empty()) return;
            frames.take(data);
        }
        if (waits[1].revents && !feed(stream)) waits[1].fd = -1;
    }
}

void exec(Session& session, const ExecOptions& options) {
    Client client = session.client();
    std::string id =
        text_of(client.post("/containers/" + escape(options.container) + "/exec", exec_body(options)), "Id");
    json start = {{"Detach", options.detach}, {"Tty", false}};
    if (options.detach) {
        (void)client.post("/exec/" + id + "/start", start);
        session.exit_code = 0;
        return;
    }
    Hijacked stream(client.socket(), "/exec/" + id + "/start", start);
    exchange(stream, options.interactive);
    json end = client.get("/exec/" + id + "/json");
    if (!end["ExitCode"].is_number()) throw Error(Code::unavailable, "the agent ended before the command did");
    session.exit_code = static_cast<int>(number_of(end, "ExitCode"));
}

void set_up_exec(CLI::App& app, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<ExecOptions>();
    session->exit_code = 125;  // for wrong flags, as Docker
    app.prefix_command();
    app.add_flag("-d,--detach", options->detach, "In the background");
    add_list(app, "-e,--env", options->variables, "NAME=value, or NAME for this shell's value");
    add_list(app, "--env-file", options->variable_files, "A file of such lines");
    app.add_flag("-i,--interactive", options->interactive, "With this command's standard input");
    app.add_flag("--privileged", options->privileged, "With every right there is on this machine");
    app.add_option("-u,--user", options->user, "USER[:GROUP], names or numbers");
    app.add_option("-w,--workdir", options->working_dir, "The working directory");
    refuse_options(app, {"-t,--tty", "--detach-keys"});
    app.callback([=, &app] {
        std::vector<std::string> words = app.remaining();
        if (words.size() < 2) {
            throw Error(Code::invalid_argument, "exec needs a container and a command",
                        "kedge exec [OPTIONS] CONTAINER COMMAND [ARG...]");
        }
        options->container = words.front();
        options->command.assign(words.begin() + 1, words.end());
        session->exit_code = 1;
        exec(*session, *options);
    });
}

}  // namespace

Command exec_command() {
    return {"exec", "Run a command in a running container",
            "  kedge exec web nginx -t\n  kedge exec -u postgres db pg_dump shop > shop.sql\n  kedge exec -i db psql < "
            "shop.sql",
            set_up_exec};
}

}  // namespace kedge::cli
