// create, start, run, exec, kill, delete, pause, resume on the command line.
#include "base/error.h"
#include "runtime/containers/signals.h"
#include "runtime/oci/command_line.h"
#include "runtime/oci/foreground.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>

namespace kedge::oci {

namespace {

void add_id(CLI::App& command, std::string& id) {
    command.add_option("id", id, "The container")->required();
}

struct CreateFlags {
    std::string id;
    CreateOptions options;
    bool no_pivot = false, no_new_keyring = false, detach = false, keep = false;
};

void add_create_options(CLI::App& command, CreateFlags& flags) {
    CreateOptions& options = flags.options;
    command.add_option("-b,--bundle", options.bundle, "The folder with config.json (the current one)");
    command.add_option("--console-socket", options.console_socket, "A socket that gets the terminal's master");
    command.add_option("--pid-file", options.pid_file, "A file that gets the first process' number");
    command.add_option("--preserve-fds", options.preserved, "Descriptors after the standard ones that are handed on")
        ->check(CLI::Range(0, 500));
    command.add_flag("--no-pivot", flags.no_pivot, "Refused: the root is always changed by pivot_root");
    command.add_flag("--no-new-keyring", flags.no_new_keyring, "Keep the caller's session keyring");
    add_id(command, flags.id);
}

void settle(CreateFlags& flags) {
    if (flags.no_pivot)
        throw Error(Code::invalid_argument,
                    "--no-pivot is not supported: without pivot_root a container can find its way to the host's files");
    flags.options.new_keyring = !flags.no_new_keyring;
}

/// In the foreground: until it has ended and nothing of it is left.
void run_to_its_end(Session& session, const CreateFlags& flags) {
    prepare_foreground();
    const Created created = create(session.runtime, flags.id, flags.options);
    try {
        start(session.runtime, flags.id);
        session.exit_code = await_process(created);
    } catch (...) {
        remove(session.runtime, flags.id, true);
        throw;
    }
    if (!flags.keep) remove(session.runtime, flags.id, true);
}

void add_create(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "create", "Make a container, which then waits for its start",
                            "  kedge oci create --bundle /srv/web --pid-file /run/web.pid web");
    auto flags = std::make_shared<CreateFlags>();
    add_create_options(*command, *flags);
    command->callback([=] {
        settle(*flags);
        (void)create(session->runtime, flags->id, flags->options);
    });
}

void add_run(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "run", "Make a container, start it, and delete it when it has ended",
                            "  kedge oci run --bundle /srv/web web\n  kedge oci run --detach web");
    auto flags = std::make_shared<CreateFlags>();
    add_create_options(*command, *flags);
    command->add_flag("-d,--detach", flags->detach, "Don't wait for its end");
    command->add_flag("--keep", flags->keep, "Don't delete it when it has ended");
    command->callback([=] {
        settle(*flags);
        flags->options.foreground = !flags->detach;
        if (!flags->detach) return run_to_its_end(*session, *flags);
        (void)create(session->runtime, flags->id, flags->options);
        try {
            start(session->runtime, flags->id);
        } catch (...) {
            remove(session->runtime, flags->id, true);
            throw;
        }
    });
}

void add_start(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "start", "Let a container that was made execute its program", "  kedge oci start web");
    auto id = std::make_shared<std::string>();
    add_id(*command, *id);
    command->callback([=] { start(session->runtime, *id); });
}

struct ExecFlags {
    ExecOptions options;
    std::string process_file, selinux_label;
};

void set_up_exec(CLI::App& command, ExecFlags& flags) {
    ExecOptions& options = flags.options;
    auto list = [&](const char* names, std::vector<std::string>& values, const char* description) {
        command.add_option(names, values, description)->expected(1)->take_all();
    };
    command.add_option("-p,--process", flags.process_file, "A file with the process, as config.json has it");
    command.add_option("--cwd", options.working_dir, "Its working folder");
    list("-e,--env", options.environment, "NAME=value for its environment");
    command.add_flag("-t,--tty", options.terminal, "With a terminal");
    command.add_option("-u,--user", options.user, "UID[:GID] or names");
    list("-g,--additional-gids", options.groups, "A further group");
    command.add_flag("-d,--detach", options.detach, "Don't wait for its end");
    command.add_option("--pid-file", options.pid_file, "A file that gets its number");
    command.add_option("--console-socket", options.console_socket, "A socket that gets the terminal's master");
    list("-c,--cap", options.capabilities, "A capability more");
    command.add_flag("--no-new-privs", options.no_new_privileges, "It can't gain privileges");
    command.add_flag("--ignore-paused", options.ignore_paused, "Also in a container that is paused");
    command.add_option("--apparmor", options.apparmor_profile, "Its AppArmor profile");
    command.add_option("--process-label", flags.selinux_label, "Refused: SELinux is not supported");
    command.add_option("--preserve-fds", options.preserved, "Descriptors after the standard ones that are handed on")
        ->check(CLI::Range(0, 500));
}

void settle(ExecFlags& flags, const std::vector<std::string>& words) {
    if (words.empty()) throw Error(Code::invalid_argument, "exec: the container's id is missing");
    if (!flags.selinux_label.empty())
        throw Error(Code::invalid_argument, "--process-label is not supported: there is no SELinux here");
    flags.options.arguments.assign(words.begin() + 1, words.end());
    if (!flags.process_file.empty()) {
        const Json json = parse_json(read_file_at(AT_FDCWD, flags.process_file), flags.process_file);
        flags.options.process = parse_process(Field(json, flags.process_file + ": "));
        if (flags.options.terminal) flags.options.process->terminal = true;
    } else if (flags.options.arguments.empty()) {
        throw Error(Code::invalid_argument, "exec: the command is missing");
    }
}

void add_exec(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "exec", "Execute a further process in a container: ID COMMAND [ARG...]",
                            "  kedge oci exec web ps\n  kedge oci exec -t --user 1000 web sh\n"
                            "  kedge oci exec --detach --process process.json --pid-file /run/exec.pid web");
    auto flags = std::make_shared<ExecFlags>();
    set_up_exec(*command, *flags);
    command->prefix_command();
    command->callback([=] {
        const std::vector<std::string> words = command->remaining();
        settle(*flags, words);
        if (!flags->options.detach) prepare_foreground();
        const Created process = exec(session->runtime, words.front(), flags->options);
        if (!flags->options.detach) session->exit_code = await_process(process);
    });
}

void add_kill(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "kill", "Send a signal to a container's first process",
                            "  kedge oci kill web\n  kedge oci kill --all web KILL");
    struct Flags {
        std::string id, signal = "TERM";
        bool all = false;
    };
    auto flags = std::make_shared<Flags>();
    command->add_flag("-a,--all", flags->all, "To all of its processes");
    add_id(*command, flags->id);
    command->add_option("signal", flags->signal, "Name or number (TERM)");
    command->callback([=] {
        kill(session->runtime, flags->id, flags->signal == "0" ? 0 : runtime::signal_number(flags->signal), flags->all);
    });
}

void add_delete(CLI::App& app, const SessionPtr& session) {
    CLI::App* command = add(app, "delete", "Take away what was made for a container that has ended",
                            "  kedge oci delete web\n  kedge oci delete --force web");
    struct Flags {
        std::string id;
        bool force = false;
    };
    auto flags = std::make_shared<Flags>();
    command->add_flag("-f,--force", flags->force, "Also one that hasn't ended: it is killed");
    add_id(*command, flags->id);
    command->callback([=] { remove(session->runtime, flags->id, flags->force); });
}

void add_pausing(CLI::App& app, const SessionPtr& session) {
    auto id = std::make_shared<std::string>();
    CLI::App* stop = add(app, "pause", "Stop every process of a container where it is", "  kedge oci pause web");
    add_id(*stop, *id);
    stop->callback([=] { pause(session->runtime, *id); });
    CLI::App* go = add(app, "resume", "Let the processes of a paused container go on", "  kedge oci resume web");
    add_id(*go, *id);
    go->callback([=] { resume(session->runtime, *id); });
}

}  // namespace

void add_life_commands(CLI::App& app, const SessionPtr& session) {
    add_create(app, session);
    add_start(app, session);
    add_run(app, session);
    add_exec(app, session);
    add_kill(app, session);
    add_delete(app, session);
    add_pausing(app, session);
}

}  // namespace kedge::oci
