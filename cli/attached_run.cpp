#include "cli/attached_run.h"

#include "base/fd.h"
#include "cli/dialogue.h"
#include "cli/format.h"
#include "cli/hijack.h"
#include "cli/session.h"
#include "cli/signals.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>

namespace kedge::cli {

using nlohmann::json;

namespace {

constexpr int kCannotRun = 125;
constexpr int kPatience = 3;  ///< so many times somebody presses Ctrl-C before the command gives up on the container

/// Waits for the container's end on a thread of its own, which nobody waits for if the command ends before.
class Waiter {
public:
    /// Returns once the agent is waiting, so that no end is missed.
    Waiter(const Client& client, const std::string& id, bool removed) : state_(std::make_shared<State>()) {
        if (!state_->done) throw_errno("eventfd");
        std::future<void> begun = state_->begun.get_future();
        std::string path = "/containers/" + id + "/wait?condition=" + (removed ? "removed" : "next-exit");
        std::thread([state = state_, client, path] { wait(*state, client, path); }).detach();
        begun.wait();
    }

    int fd() const { return state_->done.get(); }  ///< readable at the end
    /// Once fd() is readable.
    int exit_code() const {
        if (state_->error) throw *state_->error;
        json answer = json::parse(state_->answer, nullptr, false);
        if (!answer.is_object()) throw Error(Code::unavailable, "the agent ended before the container did");
        if (answer["Error"].is_object()) throw Error(Code::internal, text_of(answer["Error"], "Message"));
        return static_cast<int>(number_of(answer, "StatusCode"));
    }

private:
    struct State {
        Fd done = Fd(::eventfd(0, EFD_CLOEXEC));
        std::promise<void> begun;
        std::string answer;          ///< written before `done`, read after
        std::optional<Error> error;  ///< the same
    };
    static void wait(State& state, const Client& client, const std::string& path) {
        bool begun = false;
        auto begin = [&] {
            if (!std::exchange(begun, true)) state.begun.set_value();
        };
        try {
            client.stream(
                "POST", path, {}, [&](std::string_view data) { state.answer.append(data); }, begin);
        } catch (const Error& error) {
            state.error = error;
        }
        begin();
        uint64_t one = 1;
        (void)!::write(state.done.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    }

    std::shared_ptr<State> state_;
};

/// Passes a signal on; what the container makes of it is its own affair.
void pass_on(const Client& client, const std::string& id, int signal) {
    try {
        (void)client.post("/containers/" + id + "/kill?signal=" + std::to_string(signal));
    } catch (const Error& error) {
        if (error.code() == Code::unavailable) throw;  // else: it has just ended
    }
}

/// Carries the streams until they end and the waiter is done, or somebody detaches.
void follow(const Client& client, const std::string& id, Dialogue& dialogue, Waiter& waiter,
            std::optional<CaughtSignals>& signals) {
    int interrupts = 0;
    for (bool exited = false; !dialogue.detached() && !(dialogue.ended() && exited);) {
        pollfd waits[2 + Dialogue::kPolled] = {{exited ? -1 : waiter.fd(), POLLIN, 0},
                                               {signals ? signals->fd() : -1, POLLIN, 0}};
        dialogue.poll_for(waits + 2);
        if (::poll(waits, std::size(waits), -1) < 0 && errno != EINTR) throw_errno("poll");
        dialogue.serve(waits + 2);
        if (waits[0].revents) exited = true;
        if (!waits[1].revents) continue;
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
    Hijacked stream(client.socket(),
                    path + "/attach" +
                        query({{"stream", "1"},
                               {"stdin", in ? "1" : ""},
                               {"stdout", out ? "1" : ""},
                               {"stderr", err ? "1" : ""},
                               {"detachKeys", detach_keys}}),
                    nullptr);
    Waiter waiter(client, id, remove);
    if (start) {
        try {
            (void)client.post(path + "/start");
        } catch (const Error& error) {
            print_error(error);
            return exit_code_of_start(error);
        }
    }
    Dialogue::Options options{in, tty, !tty, detach_keys, [&](TerminalSize size) { resize(client, path, size); }};
    Dialogue dialogue(stream, options);
    if (tty) {
        TerminalSize size = terminal_size();
        // A size that changes makes what runs already draw its screen again.
        if (!start && size.rows > 0) resize(client, path, {size.rows + 1, size.columns + 1});
        resize(client, path, size);
    }
    follow(client, id, dialogue, waiter, signals);
    if (!dialogue.detached()) return waiter.exit_code();
    if (start) return 0;
    print("read escape sequence\r\n", STDERR_FILENO);
    return 1;  // as Docker's
}

}  // namespace kedge::cli
