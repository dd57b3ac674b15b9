#include "cli/attached_run.h"
#include "cli/format.h"
#include "cli/session.h"

#include <nlohmann/json.hpp>

namespace kedge::cli {

using nlohmann::json;

namespace {

struct Options {
    std::vector<std::string> names;
    std::string detach_keys;
    bool attach = false, interactive = false, no_stdin = false, pass_signals = true;
};

AttachedRun attached_run(const json& info, const Options& options, bool in) {
    AttachedRun attached;
    attached.out = attached.err = true;
    attached.in = in && info["Config"].value("OpenStdin", false);
    attached.tty = info["Config"].value("Tty", false);
    attached.pass_signals = options.pass_signals;
    attached.detach_keys = options.detach_keys;
    return attached;
}

void start_attached(Session& session, const Options& options) {
    if (options.names.size() > 1)
        throw Error(Code::invalid_argument, "you cannot start and attach multiple containers at once");
    Client client = session.client();
    json info = client.get(container_path(options.names.front(), "/json"));
    AttachedRun attached = attached_run(info, options, options.interactive);
    attached.start = !info["State"].value("Running", false);
    session.exit_code = attached.run(client, text_of(info, "Id"));
}

void set_up_start(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<Options>();
    line.add_option("containers", options->names, "Names or ids").required();
    line.add_flag("-a,--attach", options->attach, "Show its output, pass signals on, and end with its exit code");
    line.add_flag("-i,--interactive", options->interactive, "The same, with this command's standard input");
    line.add_option("--detach-keys", options->detach_keys, "Keys that leave it running (ctrl-p,ctrl-q)");
    line.callback([=] {
        if (options->attach || options->interactive)
            start_attached(*session, *options);
        else
            post_for_each(*session, options->names, "/start");
    });
}

void attach(Session& session, const Options& options) {
    Client client = session.client();
    json info = client.get(container_path(options.names.front(), "/json"));
    const json& state = info["State"];
    if (!state.value("Running", false))
        throw Error(Code::conflict, "You cannot attach to a stopped container, start it first");
    if (state.value("Paused", false))
        throw Error(Code::conflict, "You cannot attach to a paused container, unpause it first");
    if (state.value("Restarting", false))
        throw Error(Code::conflict, "You cannot attach to a restarting container, wait until it is running");
    AttachedRun attached = attached_run(info, options, !options.no_stdin);
    attached.start = false;
    session.exit_code = attached.run(client, text_of(info, "Id"));
}

void set_up_attach(CommandLine line, const std::shared_ptr<Session>& session) {
    auto options = std::make_shared<Options>();
    line.add_option("container", options->names, "Name or id").required().once();
    line.add_flag("--no-stdin", options->no_stdin, "Without this command's standard input");
    line.add_flag("--sig-proxy", options->pass_signals, "Pass signals on to the container (true)");
    line.add_option("--detach-keys", options->detach_keys, "Keys that leave it running (ctrl-p,ctrl-q)");
    line.callback([=] { attach(*session, *options); });
}

}  // namespace

std::vector<Command> attach_commands() {
    return {
        {"start", "Start containers", "  kedge start web\n  kedge start -a job\n  kedge start -ai shell", set_up_start},
        {"attach", "Attach to a running container's streams",
         "  kedge attach shell                    # Ctrl-P Ctrl-Q leaves it\n  kedge attach --no-stdin "
         "--sig-proxy=false web",
         set_up_attach}};
}

}  // namespace kedge::cli
