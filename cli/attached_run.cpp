#include "cli/attached_run.h"

#include "base/fd.h"
#include "cli/dialogue.h"
#include "cli/format.h"
#include "cli/hijack.h"
#include "cli/session.h"
#include "cli/signals.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iterator>
#include <optional>

namespace kedge::cli {

namespace {

constexpr int kCannotRun = 125;
constexpr int kPatience = 3;  ///< so many times somebody presses Ctrl-C before the command gives up on the container

/// Passes a signal on; what the container makes of it is its own affair.
void pass_on(const Client& client, const std::string& id, int signal) {
    try {
        (void)client.post("/containers/" + id + "/kill?signal=" + std::to_string(signal));
    } catch (const Error& error) {
        if (error.code() == Code::unavailable) throw;  // else: it has just ended
    }
}

/// Carries the streams until the container has ended, or somebody detaches.
void follow(const Client& client, const std::string& id, Dialogue& dialogue, std::optional<CaughtSignals>& signals) {
    int interrupts = 0;
    while (!dialogue.ended() && !dialogue.exit_code()) {
        pollfd waits[1 + Dialogue::kPolled] = {{signals ? signals->fd() : -1, POLLIN, 0}};
        dialogue.poll_for(waits + 1);
        if (::poll(waits, std::size(waits), -1) < 0 && errno != EINTR) throw_errno("poll");
        dialogue.serve(waits + 1);
        if (!waits[0].revents) continue;
        int signal = signals->take();
        if (signal == SIGINT || signal == SIGTERM) ++interrupts;
        if (interrupts >= kPatience)
            throw Error(Code::cancelled, "the container goes on without this command",
                        "kedge rm -f " + id.substr(0, 12));
        pass_on(client, id, signal);
    }
}

void resize(const Client& client, const std::string& path, TerminalSize size) {
    if (size.rows == 0) return;
    try {
        (void)client.post(path + "/resize?h=" + std::to_string(size.rows) + "&w=" + std::to_string(size.columns));
    } catch (const Error&) {
        // It has just ended; if not, its programs take the terminal for smaller or larger than it is.
    }
}

}  // namespace

int exit_code_of_start(const Error& error) {
    std::string_view text = error.what();
    if (text.find("exec: \"") == std::string_view::npos) return kCannotRun;
    bool missing = text.find("not found") != std::string_view::npos ||
                   text.find("no such file or directory") != std::string_view::npos;
    return missing ? 127 : 126;
}

int AttachedRun::run(const Client& client, const std::string& id) const {
    check_terminal(in, tty);
    std::optional<CaughtSignals> signals;
    if (pass_signals && !tty) signals.emplace();
    const std::string path = "/containers/" + id;
    std::optional<Hijacked> stream;
    try {
        stream.emplace(client.socket(),
                       "/kedge/v1" + path + "/attach" +
                           query({{"start", start ? "1" : ""},
                                  {"stdin", in ? "1" : ""},
                                  {"stdout", out ? "1" : ""},
                                  {"stderr", err ? "1" : ""},
                                  {"detachKeys", detach_keys}}),
                       nlohmann::json());
    } catch (const Error& error) {
        if (!start) throw;
        print_error(error);
        return exit_code_of_start(error);
    }
    Dialogue dialogue(*stream, {in, tty, detach_keys, [&](TerminalSize size) { resize(client, path, size); }});
    if (tty) {
        TerminalSize size = terminal_size();
        // A size that changes makes what runs already draw its screen again.
        if (!start && size.rows > 0) resize(client, path, {size.rows + 1, size.columns + 1});
        resize(client, path, size);
    }
    follow(client, id, dialogue, signals);
    if (dialogue.exit_code()) return *dialogue.exit_code();
    if (!dialogue.detached()) throw Error(Code::unavailable, "the agent ended before the container did");
    if (start) return 0;
    print("read escape sequence\r\n", STDERR_FILENO);
    return 1;  // as Docker's
}

}  // namespace kedge::cli
