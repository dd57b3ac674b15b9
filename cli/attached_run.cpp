#include "cli/attached_run.h"

#include "base/fd.h"
#include "cli/format.h"
#include "cli/frame_reader.h"
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

/// Shows its output until that ends and the waiter is done.
void follow(const Client& client, const std::string& id, Hijacked& stream, Waiter& waiter,
            std::optional<CaughtSignals>& signals) {
    FrameReader frames([](bool err, std::string_view data) { print(data, err ? STDERR_FILENO : STDOUT_FILENO); });
    pollfd waits[] = {{stream.fd(), POLLIN, 0}, {waiter.fd(), POLLIN, 0}, {signals ? signals->fd() : -1, POLLIN, 0}};
    int interrupts = 0;
    while (waits[0].fd >= 0 || waits[1].fd >= 0) {
        if (::poll(waits, 3, -1) < 0 && errno != EINTR) throw_errno("poll");
        if (waits[0].revents) {
            std::string_view data = stream.read();
            if (data.empty())
                waits[0].fd = -1;
            else
                frames.take(data);
        }
        if (waits[1].revents) waits[1].fd = -1;
        if (waits[2].revents) {
            int signal = signals->take();
            if (signal == SIGINT || signal == SIGTERM) ++interrupts;
            if (interrupts >= kPatience)
                throw Error(Code::cancelled, "the container goes on without this command",
                            "kedge rm -f " + id.substr(0, 12));
            pass_on(client, id, signal);
        }
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
    std::optional<CaughtSignals> signals;
    if (pass_signals) signals.emplace();
    const std::string path = "/containers/" + id;
    Hijacked stream(client.socket(),
                    path + "/attach" + query({{"stream", "1"}, {"stdout", out ? "1" : ""}, {"stderr", err ? "1" : ""}}),
                    nullptr);
    Waiter waiter(client, id, remove);
    try {
        (void)client.post(path + "/start");
    } catch (const Error& error) {
        print_error(error);
        return exit_code_of_start(error);
    }
    follow(client, id, stream, waiter, signals);
    return waiter.exit_code();
}

}  // namespace kedge::cli
